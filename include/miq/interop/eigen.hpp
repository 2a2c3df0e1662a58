// interop/eigen.hpp: Eigen's matrices, maps and references as views, and views as Eigen maps.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <Eigen/Core>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/numeric_types.hpp>

namespace miq::interop {

namespace detail {

/// miq's element type for Eigen's: the same, or the 16-bit type with the same bits.
template <class T>
struct element_of_eigen {
  using type = T;
};
template <>
struct element_of_eigen<Eigen::half> {
  using type = float16;
};
template <>
struct element_of_eigen<Eigen::bfloat16> {
  using type = bfloat16;
};
template <class T>
struct element_for_eigen {
  using type = T;
};
template <>
struct element_for_eigen<float16> {
  using type = Eigen::half;
};
template <>
struct element_for_eigen<bfloat16> {
  using type = Eigen::bfloat16;
};
static_assert(sizeof(Eigen::half) == sizeof(float16) && sizeof(Eigen::bfloat16) == sizeof(bfloat16));

/// As `From` points to constants or not.
template <class From, class T>
using constness_of = std::conditional_t<std::is_const_v<std::remove_pointer_t<From>>, const T, T>;

template <class Matrix>
using view_element =
    constness_of<decltype(std::declval<Matrix&>().data()), typename element_of_eigen<typename Matrix::Scalar>::type>;

}  // namespace detail

/// An Eigen object with memory of its own or of others (`Matrix`, `Map`, `Ref`, a block of them), not an expression.
template <class Matrix>
concept eigen_object = requires(Matrix& m) {
  typename Matrix::Scalar;
  { m.data() } -> std::convertible_to<const typename Matrix::Scalar*>;
  { m.innerStride() } -> std::convertible_to<Eigen::Index>;
  { m.outerStride() } -> std::convertible_to<Eigen::Index>;
};

/// The view of a row-major Eigen matrix; of a const one, of const elements. Copies nothing: the memory must outlive the
/// view. Column-major matrices do not compile, since their rows are not contiguous; `m.transpose()` of one is row-major.
///
/// @param m  float, double, integers, `Eigen::half` (as float16) or `Eigen::bfloat16` (as bfloat16)
/// @throws invalid_argument  if neighbours in a row are not neighbours in memory
template <eigen_object Matrix>
auto view_of(Matrix& m) {
  static_assert(Matrix::IsRowMajor || Matrix::RowsAtCompileTime == 1 || Matrix::ColsAtCompileTime == 1,
                "miq's matrices are row-major: give an Eigen matrix with Eigen::RowMajor");
  using element = detail::view_element<Matrix>;
  miq::detail::require(m.innerStride() == 1 || m.cols() <= 1 || !Matrix::IsRowMajor,
                       "interop::view_of: neighbours in a row must be neighbours in memory, got an inner stride of ",
                       static_cast<std::int64_t>(m.innerStride()));
  const auto rows = static_cast<std::int64_t>(m.rows()), columns = static_cast<std::int64_t>(m.cols());
  // A column vector is a matrix of one column, whose rows lie at the inner stride.
  const auto step = static_cast<std::int64_t>(Matrix::IsRowMajor ? m.outerStride() : m.innerStride());
  return matrix_view<element>(reinterpret_cast<element*>(m.data()), rows, columns, rows <= 1 ? columns : step);
}

/// The same of a temporary that refers to memory of others: `view_of(m.topRows(2))`.
template <eigen_object Reference>
requires(!std::is_lvalue_reference_v<Reference> &&
         !std::derived_from<Reference, Eigen::PlainObjectBase<Reference>>) auto view_of(Reference&& m) {
  return view_of(m);
}

/// The view of an Eigen vector without a stride.
/// @throws invalid_argument  if its elements are not contiguous
template <eigen_object Vector>
requires(bool(Vector::IsVectorAtCompileTime)) auto vector_view_of(Vector& v) {
  using element = detail::view_element<Vector>;
  miq::detail::require(v.innerStride() == 1 || v.size() <= 1,
                       "interop::vector_view_of: elements must be contiguous, got a stride of ",
                       static_cast<std::int64_t>(v.innerStride()));
  return vector_view<element>(reinterpret_cast<element*>(v.data()), static_cast<std::int64_t>(v.size()));
}

/// An Eigen map of a matrix in host memory. Copies nothing.
template <class T>
auto eigen_map(matrix_view<T> m) {
  using scalar = typename detail::element_for_eigen<std::remove_const_t<T>>::type;
  using matrix = Eigen::Matrix<scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using target = std::conditional_t<std::is_const_v<T>, const matrix, matrix>;
  using pointer = std::conditional_t<std::is_const_v<T>, const scalar*, scalar*>;
  return Eigen::Map<target, 0, Eigen::OuterStride<>>(reinterpret_cast<pointer>(m.data()), m.rows(), m.columns(),
                                                     Eigen::OuterStride<>(m.leading()));
}

/// The same of a vector: a column.
template <class T>
auto eigen_map(vector_view<T> v) {
  using scalar = typename detail::element_for_eigen<std::remove_const_t<T>>::type;
  using vector = Eigen::Matrix<scalar, Eigen::Dynamic, 1>;
  using target = std::conditional_t<std::is_const_v<T>, const vector, vector>;
  using pointer = std::conditional_t<std::is_const_v<T>, const scalar*, scalar*>;
  return Eigen::Map<target>(reinterpret_cast<pointer>(v.data()), v.size());
}

}  // namespace miq::interop
