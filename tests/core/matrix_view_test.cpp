// Views: what they point to, what they accept, what they refuse.
#include "test_support/catch.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include <Eigen/Core>

#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>

using miq::device_memory;
using miq::matrix_view;
using miq::vector_view;

TEST_CASE("a matrix view reads and writes with its leading dimension", "[core][view]") {
  std::vector<int> data(4 * 7);
  std::iota(data.begin(), data.end(), 0);
  const matrix_view<int> view(data.data(), 4, 5, 7);
  CHECK(view.rows() == 4);
  CHECK(view.columns() == 5);
  CHECK(view.leading() == 7);
  CHECK(view.size() == 20);
  CHECK_FALSE(view.empty());
  CHECK_FALSE(view.contiguous());
  int wrong = 0;
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 5; ++c)
      if (view(r, c) != 7 * r + c) ++wrong;
  CHECK(wrong == 0);
  view(3, 4) = -1;
  CHECK(data[25] == -1);
  const auto row = view.row(2);
  CHECK(row.size() == 5);
  CHECK(row[0] == 14);
  CHECK(std::vector<int>(row.begin(), row.end()) == std::vector<int>{14, 15, 16, 17, 18});
}

TEST_CASE("contiguity", "[core][view]") {
  std::vector<float> data(30);
  CHECK(matrix_view<float>(data.data(), 5, 6).contiguous());
  CHECK(matrix_view<float>(data.data(), 5, 5, 5).contiguous());
  CHECK_FALSE(matrix_view<float>(data.data(), 5, 5, 6).contiguous());
  CHECK(matrix_view<float>(data.data(), 1, 5, 30).contiguous());
}

TEST_CASE("empty views", "[core][view]") {
  CHECK(matrix_view<float>().empty());
  CHECK(matrix_view<float>().size() == 0);
  CHECK(matrix_view<float>(nullptr, 0, 5).empty());
  CHECK(matrix_view<float>(nullptr, 5, 0).empty());
  CHECK(vector_view<float>().empty());
  CHECK(vector_view<float>(nullptr, 0).empty());
  const std::vector<float> nothing;
  CHECK(vector_view<const float>(nothing).empty());
}

TEST_CASE("views refuse bad extents and null data, and say what came", "[core][view]") {
  float value = 0;
  CHECK_THROWS_AS(matrix_view<float>(&value, -1, 1), miq::invalid_argument);
  CHECK_THROWS_AS(matrix_view<float>(&value, 1, -1), miq::invalid_argument);
  CHECK_THROWS_AS(matrix_view<float>(&value, 1, 4, 3), miq::invalid_argument);
  CHECK_THROWS_AS(matrix_view<float>(nullptr, 2, 3), miq::invalid_argument);
  CHECK_THROWS_AS(vector_view<float>(&value, -1), miq::invalid_argument);
  CHECK_THROWS_AS(vector_view<float>(nullptr, 1), miq::invalid_argument);
  CHECK_THROWS_WITH(matrix_view<float>(&value, -2, 3), miq_test::contains("[-2, 3]"));
  CHECK_THROWS_WITH(matrix_view<float>(&value, 1, 4, 3),
                    miq_test::contains("4 columns") && miq_test::contains("got 3"));
  CHECK_THROWS_WITH(matrix_view<float>(nullptr, 2, 3), miq_test::contains("[2, 3]"));
}

TEST_CASE("a span becomes a matrix only when the numbers agree", "[core][view]") {
  std::vector<float> data(12);
  const matrix_view<float> view(std::span<float>(data), 3, 4);
  CHECK(view.data() == data.data());
  CHECK(view.rows() == 3);
  CHECK_THROWS_AS(matrix_view<float>(std::span<float>(data), 3, 5), miq::invalid_argument);
  CHECK_THROWS_AS(matrix_view<float>(std::span<float>(data), -3, -4), miq::invalid_argument);
  const matrix_view<const float> constant(std::span<const float>(data), 4, 3);
  CHECK(constant.data() == data.data());
}

TEST_CASE("rows_from cuts rows and keeps the leading dimension", "[core][view]") {
  std::vector<int> data(5 * 4);
  std::iota(data.begin(), data.end(), 0);
  const matrix_view<int> view(data.data(), 5, 3, 4);
  const auto middle = view.rows_from(1, 3);
  CHECK(middle.rows() == 3);
  CHECK(middle.columns() == 3);
  CHECK(middle.leading() == 4);
  CHECK(middle(2, 2) == 14);
  CHECK(view.rows_from(5, 0).empty());
  CHECK(view.rows_from(0, 5).data() == view.data());
  CHECK_THROWS_AS(view.rows_from(-1, 2), miq::invalid_argument);
  CHECK_THROWS_AS(view.rows_from(1, -1), miq::invalid_argument);
  CHECK_THROWS_AS(view.rows_from(3, 3), miq::invalid_argument);
  CHECK_THROWS_AS(view.rows_from(6, 0), miq::invalid_argument);
}

TEST_CASE("vectors of the standard library become views of the same memory", "[core][view]") {
  std::vector<float> vector{1, 2, 3};
  const std::vector<float> constant{4, 5};
  std::array<float, 2> array{6, 7};
  CHECK(vector_view<float>(vector).data() == vector.data());
  CHECK(vector_view<const float>(vector).size() == 3);
  CHECK(vector_view<const float>(constant)[1] == 5);
  CHECK(vector_view<float>(array).size() == 2);
  CHECK(vector_view<float>(std::span(vector).subspan(1)).data() == vector.data() + 1);
  CHECK(vector_view<float>(std::span<float, 2>(array)).size() == 2);
}

TEST_CASE("an Eigen object becomes a vector view only if it is a vector without stride", "[core][view]") {
  using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::VectorXf vector = Eigen::VectorXf::LinSpaced(4, 0, 3);
  CHECK(vector_view<float>(vector).data() == vector.data());
  CHECK(vector_view<const float>(vector)[3] == 3);
  Eigen::Map<Eigen::RowVectorXf> map(vector.data(), 3);
  CHECK(vector_view<float>(map).size() == 3);
  STATIC_REQUIRE(std::is_convertible_v<row_major::RowXpr, vector_view<float>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, row_major::ColXpr>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, row_major&>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<>>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, miq::matrix<float>&>);
}

TEST_CASE("conversions keep const and memory space", "[core][view]") {
  using host = matrix_view<float>;
  using host_const = matrix_view<const float>;
  using device = matrix_view<float, device_memory>;
  using device_const = matrix_view<const float, device_memory>;
  STATIC_REQUIRE(std::is_convertible_v<host, host_const>);
  STATIC_REQUIRE(std::is_convertible_v<device, device_const>);
  STATIC_REQUIRE(!std::is_constructible_v<host, host_const>);
  STATIC_REQUIRE(!std::is_constructible_v<host, device>);
  STATIC_REQUIRE(!std::is_constructible_v<host_const, device>);
  STATIC_REQUIRE(!std::is_constructible_v<device, host>);
  STATIC_REQUIRE(!std::is_constructible_v<device_const, host>);
  STATIC_REQUIRE(!std::is_constructible_v<matrix_view<double>, host>);

  STATIC_REQUIRE(std::is_convertible_v<vector_view<float>, vector_view<const float>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, vector_view<const float>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, vector_view<float, device_memory>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<const float>, vector_view<float, device_memory>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float, device_memory>, vector_view<float>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float, device_memory>, std::vector<float>&>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float, device_memory>, std::span<float>>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, const std::vector<float>&>);
  STATIC_REQUIRE(!std::is_constructible_v<vector_view<float>, std::vector<double>&>);

  STATIC_REQUIRE(std::is_convertible_v<int&, miq::result_ref<int>>);
  STATIC_REQUIRE(!std::is_constructible_v<miq::result_ref<int, device_memory>, int&>);
  STATIC_REQUIRE(!std::is_constructible_v<miq::result_ref<int>, miq::result_ref<int, device_memory>>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<host>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<vector_view<float>>);
}

TEST_CASE("a result reference points to its object and is never null", "[core][view]") {
  std::pair<int, int> object{1, 2};
  const miq::result_ref<std::pair<int, int>> result(object);
  result->second = 5;
  (*result).first = 4;
  CHECK(object == std::pair(4, 5));
  CHECK(result.get() == &object);
  CHECK_THROWS_AS(miq::result_ref<int>(static_cast<int*>(nullptr)), miq::invalid_argument);
}

TEST_CASE("overlap of matrices", "[core][view]") {
  std::vector<float> data(100);
  const matrix_view<float> all(data.data(), 10, 10);
  const auto overlap = [](auto a, auto b) { return miq::detail::overlap(a, b) && miq::detail::overlap(b, a); };
  CHECK(overlap(all, all));
  CHECK(overlap(all, all.rows_from(9, 1)));
  CHECK_FALSE(overlap(all.rows_from(0, 5), all.rows_from(5, 5)));
  CHECK_FALSE(overlap(all, all.rows_from(3, 0)));
  CHECK(overlap(matrix_view<float>(data.data(), 2, 3, 10), matrix_view<float>(data.data() + 12, 1, 1)));
  CHECK_FALSE(overlap(matrix_view<float>(data.data(), 2, 3, 10), matrix_view<float>(data.data() + 13, 1, 1)));
  CHECK(overlap(matrix_view<const float>(all), all));
  std::vector<float> other(10);
  CHECK_FALSE(overlap(all, matrix_view<float>(other.data(), 1, 10)));
}
