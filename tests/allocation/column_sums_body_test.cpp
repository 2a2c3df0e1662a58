// The kernels that sum over columns against sums in long double, and the host's costs of columns.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <miq/allocation/detail/column_sums/body.hpp>
#include <miq/allocation/detail/column_sums/checks.hpp>
#include <miq/allocation/expected_error.hpp>
#include <miq/core/random.hpp>

#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::matrix;
namespace detail = miq::allocation::detail;

struct sums {
  std::vector<double> kept;
  std::vector<double> squares;
  std::vector<double> magnitudes;
  std::int64_t not_finite = 0;
};

template <class T>
sums run(const matrix<T>& padded, std::int64_t columns, const std::uint8_t* kept, std::int32_t lanes) {
  const auto n = static_cast<std::size_t>(columns);
  sums out{std::vector<double>(n, -1.0), std::vector<double>(n, -1.0), std::vector<double>(n, -1.0)};
  const detail::column_sums_layout layout(padded.rows(), columns);
  const miq_test::nonsense_memory memory(layout.all);
  detail::column_sums_on(miq_test::host_machine(lanes),
                         miq::quantization::detail::masked_weights<T>{padded.data(), padded.columns(), padded.rows(),
                                                                      columns, kept, columns},
                         layout, memory.data(),
                         {out.kept.data(), out.squares.data(), out.magnitudes.data(), &out.not_finite});
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("the kernels of column sums give the sums", "[allocation][body]", float, miq::float16,
                   miq::bfloat16) {
  const auto [rows, columns] =
      GENERATE(table<std::int64_t, std::int64_t>({{1, 1}, {5, 257}, {255, 3}, {256, 31}, {257, 64}, {769, 300}}));
  const bool masked = GENERATE(false, true);
  miq::random_stream random(miq_test::seed());
  matrix<TestType> padded(rows, columns + 2);
  matrix<float> weights(rows, columns);
  matrix<std::uint8_t> kept(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      padded(r, c) = static_cast<TestType>(static_cast<float>(random.normal()));
      weights(r, c) = static_cast<float>(padded(r, c));
      kept(r, c) = columns > 4 && c == 2 ? 0 : static_cast<std::uint8_t>(random.below(2));
    }
  const auto out = run(padded, columns, masked ? kept.data() : nullptr, 0);
  CHECK(out.not_finite == 0);
  matrix<float> upper(columns, columns);
  for (std::int64_t c = 0; c < columns; ++c) upper(c, c) = 1;
  const auto host = miq::allocation::measure_columns(miq::host_executor({.threads = 1}), weights.view(), upper.view(),
                                                     masked ? kept.view() : miq::matrix_view<const std::uint8_t>{});
  for (std::int64_t c = 0; c < columns; ++c) {
    long double count = 0;
    long double squares = 0;
    long double magnitudes = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      if (masked && kept(r, c) == 0) continue;
      const auto w = static_cast<long double>(weights(r, c));
      count += 1;
      squares += w * w;
      magnitudes += std::fabs(w);
    }
    const auto at = static_cast<std::size_t>(c);
    REQUIRE(out.kept[at] == static_cast<double>(count));
    REQUIRE(out.squares[at] == Approx(static_cast<double>(squares)).epsilon(1e-13).margin(0));
    REQUIRE(out.magnitudes[at] == Approx(static_cast<double>(magnitudes)).epsilon(1e-13).margin(0));
    REQUIRE(out.kept[at] == host.kept[at]);
    if (count > 0) REQUIRE(out.squares[at] / out.kept[at] == Approx(host.mean_square[at]).epsilon(1e-13).margin(0));
  }
  if (rows > 256) return;
  const auto threads = run(padded, columns, masked ? kept.data() : nullptr, 8);
  CHECK(std::memcmp(threads.squares.data(), out.squares.data(), out.squares.size() * sizeof(double)) == 0);
  CHECK(std::memcmp(threads.magnitudes.data(), out.magnitudes.data(), out.squares.size() * sizeof(double)) == 0);
  CHECK(threads.kept == out.kept);
}

TEST_CASE("the kernels of column sums leave out what is not finite, and count it", "[allocation][body]") {
  matrix<float> weights(300, 5, 2.0F);
  weights(0, 0) = std::numeric_limits<float>::infinity();
  weights(299, 0) = std::numeric_limits<float>::quiet_NaN();
  weights(256, 4) = -std::numeric_limits<float>::infinity();
  const auto out = run(weights, 5, nullptr, GENERATE(0, 8));
  CHECK(out.not_finite == 3);
  CHECK(out.kept == std::vector<double>{298, 300, 300, 300, 299});
  CHECK(out.squares == std::vector<double>{1192, 1200, 1200, 1200, 1196});
  CHECK(out.magnitudes == std::vector<double>{596, 600, 600, 600, 598});
}

TEST_CASE("the diagonal", "[allocation][body]") {
  const auto size = GENERATE(1, 255, 257);
  matrix<float> m(size, size + 1);
  for (std::int64_t i = 0; i < m.size(); ++i) m.data()[i] = static_cast<float>(i);
  std::vector<double> out(static_cast<std::size_t>(size), -1.0);
  miq_test::host_machine(GENERATE(0, 8)).launch("", detail::diagonal_body{m.data(), size + 1, size, out.data()});
  for (std::int64_t i = 0; i < size; ++i)
    REQUIRE(out[static_cast<std::size_t>(i)] == static_cast<double>(i * (size + 2)));
}

TEST_CASE("costs of columns from their sums are the host's", "[allocation][body]") {
  miq::random_stream random(miq_test::seed());
  const std::int64_t rows = 300;
  const std::int64_t columns = 41;
  matrix<float> weights(rows, columns);
  matrix<std::uint8_t> kept(rows, columns);
  matrix<float> upper(columns, columns);
  std::vector<double> diagonal;
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    weights.data()[i] = static_cast<float>(random.normal());
    kept.data()[i] = static_cast<std::uint8_t>(random.below(2));
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    upper(c, c) = static_cast<float>(0.1 + random.uniform());
    diagonal.push_back(static_cast<double>(upper(c, c)));
    order.push_back((c * 7 + 3) % columns);
    kept(0, c) = 1;
  }
  const auto sums = run(weights, columns, kept.data(), 0);
  const auto got =
      detail::costs_of_sums("test", sums.kept.data(), sums.squares.data(), diagonal.data(), columns, order);
  const auto expected = miq::allocation::measure_columns(miq::host_executor({.threads = 1}), weights.view(),
                                                         upper.view(), kept.view(), order);
  CHECK(got.kept == expected.kept);
  CHECK(got.conditional_variance == expected.conditional_variance);
  for (std::size_t c = 0; c < static_cast<std::size_t>(columns); ++c)
    REQUIRE(got.mean_square[c] == Approx(expected.mean_square[c]).epsilon(1e-13));
  diagonal[5] = 0;
  CHECK_THROWS_WITH(
      detail::costs_of_sums("test", sums.kept.data(), sums.squares.data(), diagonal.data(), columns, order),
      miq_test::contains("test: the diagonal of upper must be positive and finite, got 0 in row 5"));
}
