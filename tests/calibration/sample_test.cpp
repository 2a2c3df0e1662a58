#include <algorithm>

#include "calibration/support.hpp"
#include "test_support/catch.hpp"

using miq::calibration::accumulator;
using namespace miq_test;

namespace {

/// The definition: sort all tokens by their hash.
std::vector<std::int64_t> smallest_hashes(std::uint64_t of, std::int64_t tokens, std::int64_t count) {
  std::vector<std::pair<std::uint64_t, std::int64_t>> all;
  for (std::int64_t t = 0; t < tokens; ++t) all.emplace_back(miq::random_hash(of, static_cast<std::uint64_t>(t)), t);
  std::sort(all.begin(), all.end());
  std::vector<std::int64_t> indices;
  for (std::int64_t k = 0; k < std::min(count, tokens); ++k) indices.push_back(all[static_cast<std::size_t>(k)].second);
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace

TEST_CASE("the sample is that of the smallest hashes, whatever the batches and parts", "[calibration]") {
  const auto count = GENERATE(1, 7, 300, 5000);
  const auto of = seed();
  const auto x = normal_tokens(1700, 3, seed());
  const auto expected = smallest_hashes(of, 1700, count);
  const miq::host_executor exec({.threads = 2});
  const auto check = [&](const accumulator& seen) {
    const auto sample = seen.sample();
    REQUIRE(sample.indices == expected);
    REQUIRE(sample.tokens.rows() == static_cast<std::int64_t>(expected.size()));
    for (std::size_t k = 0; k < expected.size(); ++k)
      REQUIRE(same_bits(sample.tokens.view().rows_from(static_cast<std::int64_t>(k), 1),
                        x.view().rows_from(expected[k], 1)));
  };
  accumulator at_once(3, {.sample_tokens = count, .seed = of});
  at_once.add(exec, x);
  check(at_once);

  accumulator singly(3, {.sample_tokens = count, .seed = of});
  for (std::int64_t t = 0; t < 1700; ++t) singly.add(exec, x.view().rows_from(t, 1));
  check(singly);

  // Three parts, merged out of order; a fourth added at the end, where the furthest part stopped.
  const auto part = [&](std::int64_t first, std::int64_t tokens) {
    accumulator seen(3, {.sample_tokens = count, .seed = of, .first_token = first});
    seen.add(exec, x.view().rows_from(first, tokens));
    return seen;
  };
  auto merged = part(500, 1);
  merged.merge(exec, part(501, 900));
  merged.merge(exec, part(0, 500));
  merged.add(exec, x.view().rows_from(1401, 299));
  check(merged);
}

TEST_CASE("the sample is uniform", "[calibration]") {
  const miq::host_executor exec({.threads = 1});
  accumulator seen(1, {.sample_tokens = 2000, .seed = seed()});
  const miq::matrix<float> batch(1000, 1);
  for (int k = 0; k < 20; ++k) seen.add(exec, batch);
  const auto indices = seen.sample().indices;
  REQUIRE(indices.size() == 2000);
  double chi_square = 0;  // 20 batches, 100 expected in each; variance of a count is below 100
  for (std::int64_t k = 0; k < 20; ++k) {
    const auto in_batch = std::count_if(indices.begin(), indices.end(), [k](auto i) { return i / 1000 == k; });
    chi_square += (static_cast<double>(in_batch) - 100) * (static_cast<double>(in_batch) - 100) / 100;
  }
  CHECK(chi_square < 60);  // 19 degrees of freedom: exceeded with probability 4e-6
  CHECK(chi_square > 2);   // and too even a sample would not be random either: 1e-7
}

TEST_CASE("no sample is kept unless asked for", "[calibration]") {
  const miq::host_executor exec({.threads = 1});
  accumulator seen(4);
  seen.add(exec, normal_tokens(30, 4, seed()));
  CHECK(seen.sample().indices.empty());
  CHECK(seen.sample().tokens.rows() == 0);
}
