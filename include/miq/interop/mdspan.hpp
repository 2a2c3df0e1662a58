// interop/mdspan.hpp: mdspans as views, and views as mdspans. For std::mdspan (C++23), cuda::std::mdspan of CCCL, and the
// reference implementation: whichever the caller has included.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::interop {

/// Anything with the interface of an mdspan of one or two dimensions whose elements are behind a plain pointer.
template <class Span>
concept mdspan_like = requires(const Span& span) {
  typename Span::element_type;
  { Span::rank() } -> std::convertible_to<std::size_t>;
  { span.data_handle() } -> std::convertible_to<typename Span::element_type*>;
  { span.extent(0) } -> std::convertible_to<std::int64_t>;
  { span.stride(0) } -> std::convertible_to<std::int64_t>;
  // An accessor that computes what it returns cannot be passed on.
  { span.accessor().access(span.data_handle(), 0) } -> std::same_as<typename Span::element_type&>;
};

/// The view of a matrix: `layout_right`, or `layout_stride` with contiguous rows. Copies nothing.
///
/// @tparam Space  where the elements are, which an mdspan does not say: `host_memory` or `device_memory`
/// @throws invalid_argument  if neighbours in a row are not neighbours in memory, or rows overlap
template <class Space = host_memory, mdspan_like Span>
requires(Span::rank() == 2) auto view_of(const Span& span) {
  const auto rows = static_cast<std::int64_t>(span.extent(0)), columns = static_cast<std::int64_t>(span.extent(1));
  const auto across = static_cast<std::int64_t>(span.stride(1)), down = static_cast<std::int64_t>(span.stride(0));
  miq::detail::require(across == 1 || columns <= 1,
                       "interop::view_of: neighbours in a row must be neighbours in memory (layout_right), got a "
                       "stride of ",
                       across);
  miq::detail::require(down >= columns || rows <= 1, "interop::view_of: rows must not overlap, got a stride of ", down,
                       " for ", columns, " columns");
  return matrix_view<typename Span::element_type, Space>(span.data_handle(), rows, columns, rows <= 1 ? columns : down);
}

/// The view of a vector. @throws invalid_argument if its elements are not contiguous
template <class Space = host_memory, mdspan_like Span>
requires(Span::rank() == 1) auto vector_view_of(const Span& span) {
  const auto size = static_cast<std::int64_t>(span.extent(0)), stride = static_cast<std::int64_t>(span.stride(0));
  miq::detail::require(stride == 1 || size <= 1,
                       "interop::vector_view_of: elements must be contiguous, got a stride of ", stride);
  return vector_view<typename Span::element_type, Space>(span.data_handle(), size);
}

/// A view as the mdspan that the caller names: `mdspan_of<std::mdspan<float, std::dextents<std::int64_t, 2>,
/// std::layout_stride>>(view)`. `layout_right` and others take contiguous matrices only.
///
/// @throws invalid_argument  if the layout cannot tell the leading dimension
template <mdspan_like Span, class T, class Space>
requires(Span::rank() == 2) Span mdspan_of(const matrix_view<T, Space>& m) {
  using extents = typename Span::extents_type;
  using index = typename Span::index_type;
  const extents shape(static_cast<index>(m.rows()), static_cast<index>(m.columns()));
  if constexpr (requires(typename Span::mapping_type mapping) { mapping.strides(); }) {
    using mapping_type = typename Span::mapping_type;
    using strides_type = std::remove_cvref_t<decltype(std::declval<const mapping_type&>().strides())>;
    strides_type strides{};
    strides[0] = static_cast<typename strides_type::value_type>(m.leading());
    strides[1] = 1;
    return Span(m.data(), mapping_type(shape, strides));
  } else {
    miq::detail::require(m.contiguous(),
                         "interop::mdspan_of: rows must be contiguous for a layout without strides, got "
                         "a leading dimension of ",
                         m.leading(), " for ", m.columns(), " columns");
    const Span span(m.data(), typename Span::mapping_type(shape));
    miq::detail::require((span.stride(1) == 1 || m.columns() <= 1) &&
                             (static_cast<std::int64_t>(span.stride(0)) == m.columns() || m.rows() <= 1),
                         "interop::mdspan_of: the layout must be row-major, as layout_right is");
    return span;
  }
}

}  // namespace miq::interop
