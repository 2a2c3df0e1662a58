// core/weights_view.hpp: a matrix of weights or activations in any of the element types that engines hold.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

#include <miq/core/matrix_view.hpp>
#include <miq/core/numeric_types.hpp>

namespace miq {

/// A view of a matrix of float, float16 or bfloat16, chosen at run time. Made implicitly from a view or an owning
/// matrix of one of them, so that a function that takes one is declared and compiled once for all three.
template <class Space = host_memory>
class weights_view {
  using any_view = std::variant<matrix_view<const float, Space>, matrix_view<const float16, Space>,
                                matrix_view<const bfloat16, Space>>;

 public:
  weights_view() = default;
  template <class Matrix>
  requires(!std::same_as<Matrix, weights_view> && std::is_constructible_v<any_view, const Matrix&>)
      weights_view(const Matrix& matrix)
      : view_(matrix) {}

  /// From a pointer to float, float16 or bfloat16, as `matrix_view` is made.
  template <class T>
  requires std::is_constructible_v<any_view, matrix_view<const T, Space>> weights_view(const T* data, std::int64_t rows,
                                                                                       std::int64_t columns)
      : view_(matrix_view<const T, Space>(data, rows, columns)) {}
  template <class T>
  requires std::is_constructible_v<any_view, matrix_view<const T, Space>> weights_view(const T* data, std::int64_t rows,
                                                                                       std::int64_t columns,
                                                                                       std::int64_t leading)
      : view_(matrix_view<const T, Space>(data, rows, columns, leading)) {}

  std::int64_t rows() const {
    return visit([](const auto& typed) { return typed.rows(); });
  }
  std::int64_t columns() const {
    return visit([](const auto& typed) { return typed.columns(); });
  }
  bool empty() const {
    return visit([](const auto& typed) { return typed.empty(); });
  }

  /// Calls `f` with the typed view; returns what it returns.
  template <class Function>
  decltype(auto) visit(Function&& f) const {
    return std::visit(std::forward<Function>(f), view_);
  }
  /// The view if the elements are T, else null.
  template <class T>
  const matrix_view<const T, Space>* get_if() const {
    return std::get_if<matrix_view<const T, Space>>(&view_);
  }

 private:
  any_view view_;
};

}  // namespace miq
