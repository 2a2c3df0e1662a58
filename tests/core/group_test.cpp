// Groups of lanes: one lane, threads, and what they compute together.
#include <atomic>
#include <cstdint>
#include <numeric>
#include <vector>

#include <miq/core/group.hpp>

#include "test_support/catch.hpp"
#include "test_support/lanes.hpp"

namespace {

/// Every lane leaves what it got from each of the collective operations.
struct collective_body {
  static constexpr int lanes = 64;
  std::int64_t count = 1;
  std::int64_t* sums = nullptr;        // [count]
  std::int64_t* befores = nullptr;     // [count, size], of each rank
  std::int32_t* broadcasts = nullptr;  // [count], the sum over lanes of what they were told
  std::int32_t group_size = 1;

  std::int64_t blocks() const { return count; }
  std::int64_t scratch_bytes() const { return lanes * 8; }

  template <miq::execution_group Group>
  void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    const std::int64_t own = (block + 1) * (group.rank() + 1);
    const auto sum = miq::sum_over_lanes(group, own, slots);
    const auto all = miq::exclusive_sum_over_lanes(group, own, slots);
    befores[block * group_size + group.rank()] = slots[group.rank()];
    group.sync();
    const auto told = group.broadcast(static_cast<std::int32_t>(100 + group.rank()), group.size() - 1,
                                      reinterpret_cast<std::int32_t*>(slots));
    miq::add_atomically(&broadcasts[block], told);
    if (group.rank() == 0) sums[block] = sum == all ? sum : -1;
  }
};

void check(std::int32_t size, bool on_host_loop) {
  const std::int64_t count = 5;
  std::vector<std::int64_t> sums(static_cast<std::size_t>(count), -7), befores(static_cast<std::size_t>(count * size));
  std::vector<std::int32_t> broadcasts(static_cast<std::size_t>(count), 0);
  const collective_body body{count, sums.data(), befores.data(), broadcasts.data(), size};
  if (on_host_loop)
    miq::run_body(miq::host_executor({.threads = 3}), body);
  else
    miq_test::run_on_lanes(size, body);
  for (std::int64_t b = 0; b < count; ++b) {
    const auto at = static_cast<std::size_t>(b);
    CHECK(sums[at] == (b + 1) * size * (size + 1) / 2);
    CHECK(broadcasts[at] == size * (100 + size - 1));
    for (std::int64_t r = 0; r < size; ++r)
      CHECK(befores[static_cast<std::size_t>(b * size + r)] == (b + 1) * r * (r + 1) / 2);
  }
}

struct counting_body {
  static constexpr int lanes = 32;
  std::int64_t count = 0;
  std::int32_t* seen = nullptr;

  std::int64_t blocks() const { return count; }
  std::int64_t scratch_bytes() const { return 0; }
  template <miq::execution_group Group>
  void operator()(const Group&, std::int64_t block, std::byte*) const {
    ++seen[block];
  }
};

struct float_body {
  static constexpr int lanes = 16;
  float* out;
  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return lanes * 4; }
  void operator()(const miq_test::lane_group& group, std::int64_t, std::byte* scratch) const {
    const auto own = 1.0F / static_cast<float>(3 + group.rank());
    const auto sum = miq::sum_over_lanes(group, own, reinterpret_cast<float*>(scratch));
    if (group.rank() == 0) *out = sum;
  }
};

}  // namespace

TEST_CASE("lanes of a group add, scan and tell each other", "[core][body]") {
  check(1, true);
  for (const std::int32_t size : {1, 2, 3, 7, 8, 13}) check(size, false);
}

TEST_CASE("sums over lanes are made in one order", "[core][body]") {
  // Pairs at distance 1, 2, 4, by hand.
  const auto x = [](int rank) { return 1.0F / static_cast<float>(3 + rank); };
  const float expected = ((x(0) + x(1)) + (x(2) + x(3))) + (x(4) + x(5));
  for (int repetition = 0; repetition < 3; ++repetition) {
    float got = 0;
    miq_test::run_on_lanes(6, float_body{&got});
    CHECK(got == expected);
  }
}

TEST_CASE("the host's loop runs every block once", "[core][body]") {
  for (const std::int64_t count : {0, 1, 63, 64, 65, 1000}) {
    std::vector<std::int32_t> seen(static_cast<std::size_t>(count), 0);
    miq::run_body(miq::host_executor({.threads = 2}), counting_body{count, seen.data()});
    CHECK(std::accumulate(seen.begin(), seen.end(), std::int64_t{0}) == count);
    for (const auto n : seen) CHECK(n == 1);
  }
}
