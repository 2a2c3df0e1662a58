// The bodies that put columns in order, against the host's loops.
#include <algorithm>
#include <numeric>
#include <vector>

#include <miq/core/numeric_types.hpp>
#include <miq/core/random.hpp>
#include <miq/detail/column_order/body.hpp>
#include <miq/detail/column_order/permutation.hpp>
#include <miq/detail/kept_counts/body.hpp>

#include "test_support/catch.hpp"
#include "test_support/lanes.hpp"

namespace {

std::vector<std::int64_t> shuffled(std::int64_t size, miq::random_stream& random) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (auto k = order.size(); k > 1; --k) std::swap(order[k - 1], order[random.below(k)]);
  return order;
}

}  // namespace

TEST_CASE("columns go into an order and back", "[compress][body]") {
  const auto lanes = GENERATE(0, 8);
  const auto rows = GENERATE(1, 31, 32, 67);
  const auto columns = GENERATE(1, 7, 255, 256, 257, 521);
  if (lanes > 0 && rows * columns > 9000) return;
  miq::random_stream random(miq_test::seed());
  miq::matrix<float> from(rows, columns);
  for (std::int64_t k = 0; k < from.size(); ++k) from.data()[k] = static_cast<float>(random.normal());
  const auto order = shuffled(columns, random);
  std::vector<std::uint8_t> dead(static_cast<std::size_t>(columns));
  for (auto& d : dead) d = random.below(5) == 0;

  miq::matrix<float> to(rows, columns + 3, -7.0F), back(rows, columns);
  miq_test::run_on_host(
      lanes, miq::detail::column_order_body<float, float>{rows, columns, from.data(), columns, to.data(), columns + 3,
                                                          order.data(), dead.data(), false});
  miq_test::run_on_host(
      lanes, miq::detail::column_order_body<float, float>{rows, columns, to.data(), columns + 3, back.data(), columns,
                                                          order.data(), nullptr, true});
  const auto expected = miq::detail::columns_in_order<float>(from.view(), order, std::pmr::get_default_resource());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const bool zero = dead[static_cast<std::size_t>(order[static_cast<std::size_t>(c)])] != 0;
      REQUIRE(to(r, c) == (zero ? 0.0F : expected(r, c)));
      REQUIRE(back(r, c) == (dead[static_cast<std::size_t>(c)] != 0 ? 0.0F : from(r, c)));
    }
    for (std::int64_t c = columns; c < columns + 3; ++c) REQUIRE(to(r, c) == -7.0F);
  }
}

TEST_CASE("16-bit weights are taken up in float, without an order", "[compress][body]") {
  miq::random_stream random(miq_test::seed());
  const std::int64_t rows = 5, columns = 300;
  miq::matrix<miq::bfloat16> from(rows, columns);
  for (std::int64_t k = 0; k < from.size(); ++k) from.data()[k] = miq::bfloat16(static_cast<float>(random.normal()));
  miq::matrix<float> to(rows, columns);
  miq_test::run_on_host(0, miq::detail::column_order_body<miq::bfloat16, float>{
                               rows, columns, from.data(), columns, to.data(), columns, nullptr, nullptr, false});
  for (std::int64_t k = 0; k < from.size(); ++k) REQUIRE(to.data()[k] == static_cast<float>(from.data()[k]));
}

TEST_CASE("squares go into an order", "[compress][body]") {
  const auto lanes = GENERATE(0, 8);
  const auto size = GENERATE(1, 13, 64);
  miq::random_stream random(miq_test::seed());
  miq::matrix<float> from(size, size), to(size, size);
  for (std::int64_t k = 0; k < from.size(); ++k) from.data()[k] = static_cast<float>(random.normal());
  const auto order = shuffled(size, random);
  miq_test::run_on_host(lanes, miq::detail::square_order_body{size, from.data(), size, to.data(), size, order.data()});
  const auto expected = miq::detail::square_in_order(from.view(), order, std::pmr::get_default_resource());
  CHECK(std::equal(to.data(), to.data() + to.size(), expected.data()));
}

TEST_CASE("kept weights are counted by column", "[compress][body]") {
  const auto lanes = GENERATE(0, 8);
  const auto rows = GENERATE(1, 255, 257, 600);
  const auto columns = GENERATE(1, 13, 256, 259);
  if (lanes > 0 && rows * columns > 9000) return;
  miq::random_stream random(miq_test::seed());
  miq::matrix<std::uint8_t> kept(rows, columns + 5, 1);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(columns), 0), expected(counts);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      kept(r, c) = static_cast<std::uint8_t>(random.below(3));
      expected[static_cast<std::size_t>(c)] += kept(r, c) != 0;
    }
  miq_test::run_on_host(lanes, miq::detail::kept_counts_body{rows, columns, kept.data(), columns + 5, counts.data()});
  CHECK(counts == expected);
}
