// Eigen maps of miq's views, for the implementations.
#pragma once

#include <Eigen/Core>

#include <miq/core/matrix_view.hpp>

namespace miq::detail {

template <class T>
using row_major_matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using row_major_map = Eigen::Map<row_major_matrix<T>, Eigen::Unaligned, Eigen::OuterStride<>>;
template <class T>
using const_row_major_map = Eigen::Map<const row_major_matrix<T>, Eigen::Unaligned, Eigen::OuterStride<>>;

template <class T>
row_major_map<T> as_eigen(const matrix_view<T>& m) {
  return {m.data(), m.rows(), m.columns(), Eigen::OuterStride<>(m.leading())};
}

template <class T>
const_row_major_map<T> as_eigen(const matrix_view<const T>& m) {
  return {m.data(), m.rows(), m.columns(), Eigen::OuterStride<>(m.leading())};
}

}  // namespace miq::detail
