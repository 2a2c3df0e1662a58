// Views of Eigen objects and Eigen maps of views, held against Eigen's own access to the elements.
#include <type_traits>

#include <miq/core/matrix.hpp>
#include <miq/interop/eigen.hpp>

#include "test_support/catch.hpp"

namespace {

using miq::interop::eigen_map;
using miq::interop::vector_view_of;
using miq::interop::view_of;
template <class T>
using row_major = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

TEST_CASE("views of Eigen matrices, maps, references and blocks", "[interop]") {
  row_major<float> m = row_major<float>::Random(5, 7);
  const auto whole = view_of(m);
  static_assert(std::is_same_v<decltype(whole), const miq::matrix_view<float>>);
  REQUIRE(whole.rows() == 5);
  REQUIRE(whole.columns() == 7);
  CHECK(whole.leading() == 7);
  CHECK(&whole(3, 4) == &m(3, 4));

  auto block = m.block(1, 2, 3, 4);
  const auto part = view_of(block);
  CHECK(part.leading() == 7);
  for (std::int64_t r = 0; r < 3; ++r)
    for (std::int64_t c = 0; c < 4; ++c) REQUIRE(&part(r, c) == &m(r + 1, c + 2));

  CHECK(&view_of(m.topRows(2))(1, 6) == &m(1, 6));
  Eigen::MatrixXf by_column = Eigen::MatrixXf::Random(3, 4);
  CHECK(&view_of(by_column.transpose())(2, 1) == &by_column(1, 2));
  const auto& constant = m;
  static_assert(std::is_same_v<decltype(view_of(constant)), miq::matrix_view<const float>>);
  Eigen::Map<const row_major<float>> map(m.data(), 5, 7);
  static_assert(std::is_same_v<decltype(view_of(map)), miq::matrix_view<const float>>);
  CHECK(view_of(map).data() == m.data());
  Eigen::Ref<row_major<float>, 0, Eigen::OuterStride<>> reference(m);
  CHECK(&view_of(reference)(4, 6) == &m(4, 6));

  // Every second column: neighbours are not neighbours in memory.
  Eigen::Map<row_major<float>, 0, Eigen::Stride<Eigen::Dynamic, 2>> strided(m.data(), 5, 3,
                                                                            Eigen::Stride<Eigen::Dynamic, 2>(7, 2));
  CHECK_THROWS_WITH(view_of(strided), miq_test::contains("inner stride of 2"));
}

TEST_CASE("16-bit elements keep their bits between Eigen and miq", "[interop]") {
  row_major<Eigen::half> h(2, 2);
  h << Eigen::half(1.5F), Eigen::half(-65504.0F), Eigen::half(0x1p-24F), Eigen::half(0.0F);
  const auto view = view_of(h);
  static_assert(std::is_same_v<decltype(view), const miq::matrix_view<miq::float16>>);
  for (std::int64_t r = 0; r < 2; ++r)
    for (std::int64_t c = 0; c < 2; ++c) REQUIRE(static_cast<float>(view(r, c)) == static_cast<float>(h(r, c)));
  miq::matrix<miq::bfloat16> b(3, 2);
  for (std::int64_t k = 0; k < 6; ++k) b.data()[k] = miq::bfloat16(1.25F * static_cast<float>(k));
  const auto back = eigen_map(b.view());
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(back(0, 0))>, Eigen::bfloat16>);
  CHECK(static_cast<float>(back(2, 1)) == 6.25F);
}

TEST_CASE("vectors, columns and maps", "[interop]") {
  Eigen::VectorXd v = Eigen::VectorXd::LinSpaced(6, 0, 5);
  CHECK(vector_view_of(v).size() == 6);
  CHECK(&vector_view_of(v)[4] == &v(4));
  const auto column = view_of(v);  // a matrix of one column
  CHECK(column.columns() == 1);
  CHECK(&column(5, 0) == &v(5));
  row_major<double> m = row_major<double>::Random(4, 3);
  auto inner = m.col(1);
  CHECK_THROWS_WITH(vector_view_of(inner), miq_test::contains("stride of 3"));

  miq::matrix<float> own(4, 6);
  auto map = eigen_map(own.view().rows_from(1, 2));
  map.setConstant(3);
  CHECK(own(1, 5) == 3.0F);
  CHECK(own(2, 0) == 3.0F);
  const auto& constant = own;
  CHECK(eigen_map(constant.view()).rows() == 4);
  static_assert(!std::is_assignable_v<decltype(eigen_map(constant.view())(0, 0)), float>);
  CHECK((eigen_map(miq::vector_view<double>(v)) - v).norm() == 0);
}
