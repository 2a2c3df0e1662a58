// core/matrix_view.hpp: non-owning matrices and vectors that carry their memory space in the type.
#pragma once

#include <concepts>
#include <cstdint>
#include <iterator>
#include <span>
#include <type_traits>
#include <utility>

#include <miq/core/error.hpp>
#include <miq/core/version.hpp>

namespace miq {

/// Memory that the host can read and write.
struct host_memory {};
/// Memory of a CUDA device. A view of it does not convert to a view of host memory, nor the other way.
struct device_memory {};

namespace detail {

/// Contiguous elements: the standard's containers, or an Eigen vector without stride (whose iterators do not
/// say so).
template <class Container>
concept contiguous = std::contiguous_iterator<decltype(std::begin(std::declval<Container&>()))> || requires {
  requires bool(std::remove_cvref_t<Container>::IsVectorAtCompileTime);
  requires int(std::remove_cvref_t<Container>::InnerStrideAtCompileTime) == 1;
};

}  // namespace detail

/// `size` contiguous elements. Does not own them; as cheap to copy as a pointer.
template <class T, class Space = host_memory>
class vector_view {
 public:
  using element_type = T;
  using memory_space = Space;

  constexpr vector_view() = default;

  /// @throws invalid_argument if `size` is negative, or `data` is null while `size` is not 0
  constexpr vector_view(T* data, std::int64_t size) : data_(data), size_(size) {
    detail::require(size >= 0 && (data != nullptr || size == 0), "vector_view: data must point to ", size, " elements");
  }

  /// From contiguous host containers: `std::vector`, `std::array`, `std::span`, Eigen vectors. Not from matrices, nor
  /// from a column of a row-major one, whose elements are not contiguous.
  template <class U, std::size_t Extent>
  requires(std::same_as<Space, host_memory>&& std::convertible_to<U (*)[], T (*)[]>) constexpr vector_view(
      std::span<U, Extent> elements)
      : data_(elements.data()), size_(static_cast<std::int64_t>(elements.size())) {}

  template <class Container>
  requires(
      std::same_as<Space, host_memory> && !std::same_as<std::remove_cvref_t<Container>, vector_view> &&
      detail::contiguous<Container> &&
      requires(Container & c) {
        { c.data() } -> std::convertible_to<T*>;
        { c.size() } -> std::convertible_to<std::size_t>;
      } &&
      !requires(Container & c) {
        typename std::remove_cvref_t<Container>::memory_space;
      }) constexpr vector_view(Container&& elements)
      : data_(elements.data()), size_(static_cast<std::int64_t>(elements.size())) {}

  /// A view of mutable elements converts to one of constant elements, in the same memory space only.
  template <class U>
  requires(!std::same_as<U, T> &&
           std::convertible_to<U (*)[], T (*)[]>) constexpr vector_view(const vector_view<U, Space>& other)
      : data_(other.data()), size_(other.size()) {}

  MIQ_HOST_DEVICE constexpr T* data() const { return data_; }
  MIQ_HOST_DEVICE constexpr std::int64_t size() const { return size_; }
  MIQ_HOST_DEVICE constexpr bool empty() const { return size_ == 0; }
  MIQ_HOST_DEVICE constexpr T& operator[](std::int64_t i) const { return data_[i]; }
  MIQ_HOST_DEVICE constexpr T* begin() const { return data_; }
  MIQ_HOST_DEVICE constexpr T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// A row-major matrix: element (r, c) lies at `data[r * leading + c]`. Does not own its elements.
template <class T, class Space = host_memory>
class matrix_view {
 public:
  using element_type = T;
  using memory_space = Space;

  constexpr matrix_view() = default;

  /// A matrix whose rows are contiguous.
  constexpr matrix_view(T* data, std::int64_t rows, std::int64_t columns) : matrix_view(data, rows, columns, columns) {}

  /// @param leading  distance between the first elements of two rows, in elements, at least `columns`
  /// @throws invalid_argument if an extent is negative, `leading` is too small, or `data` is null in a non-empty matrix
  constexpr matrix_view(T* data, std::int64_t rows, std::int64_t columns, std::int64_t leading)
      : data_(data), rows_(rows), columns_(columns), leading_(leading) {
    detail::require(rows >= 0 && columns >= 0, "matrix_view: extents must not be negative, got ",
                    detail::shape_text(rows, columns));
    detail::require(leading >= columns, "matrix_view: leading must be at least the ", columns, " columns, got ",
                    leading);
    detail::require(data != nullptr || rows == 0 || columns == 0, "matrix_view: data is null for a matrix of ",
                    detail::shape_text(rows, columns));
  }

  /// Elements of a host container as a matrix. @throws invalid_argument if their number is not rows * columns
  template <class U, std::size_t Extent>
  requires(std::same_as<Space, host_memory>&& std::convertible_to<U (*)[], T (*)[]>) constexpr matrix_view(
      std::span<U, Extent> elements, std::int64_t rows, std::int64_t columns)
      : matrix_view(elements.data(), rows, columns) {
    detail::require(static_cast<std::int64_t>(elements.size()) == rows * columns, "matrix_view: the span must hold ",
                    rows * columns, " elements, got ", elements.size());
  }

  template <class U>
  requires(!std::same_as<U, T> &&
           std::convertible_to<U (*)[], T (*)[]>) constexpr matrix_view(const matrix_view<U, Space>& other)
      : data_(other.data()), rows_(other.rows()), columns_(other.columns()), leading_(other.leading()) {}

  MIQ_HOST_DEVICE constexpr T* data() const { return data_; }
  MIQ_HOST_DEVICE constexpr std::int64_t rows() const { return rows_; }
  MIQ_HOST_DEVICE constexpr std::int64_t columns() const { return columns_; }
  MIQ_HOST_DEVICE constexpr std::int64_t leading() const { return leading_; }
  MIQ_HOST_DEVICE constexpr std::int64_t size() const { return rows_ * columns_; }
  MIQ_HOST_DEVICE constexpr bool empty() const { return rows_ == 0 || columns_ == 0; }
  MIQ_HOST_DEVICE constexpr bool contiguous() const { return leading_ == columns_ || rows_ <= 1; }
  MIQ_HOST_DEVICE constexpr T& operator()(std::int64_t r, std::int64_t c) const { return data_[r * leading_ + c]; }
  constexpr vector_view<T, Space> row(std::int64_t r) const { return {data_ + r * leading_, columns_}; }

  /// Rows `first` to `first + count`, over the same memory. @throws invalid_argument if they are not all there
  constexpr matrix_view rows_from(std::int64_t first, std::int64_t count) const {
    detail::require(first >= 0 && count >= 0 && first + count <= rows_, "matrix_view: rows ", first, " to ",
                    first + count, " are not within ", rows_);
    return {data_ + first * leading_, count, columns_, leading_};
  }

 private:
  T* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t leading_ = 0;
};

/// Where a function writes its result object: one `T` in the memory of the executor that runs it.
template <class T, class Space = host_memory>
class result_ref {
 public:
  constexpr explicit result_ref(T* object) : object_(object) {
    detail::require(object != nullptr, "result_ref: object is null");
  }
  constexpr result_ref(T& object) requires std::same_as<Space, host_memory> : object_(&object) {}

  MIQ_HOST_DEVICE constexpr T* get() const { return object_; }
  MIQ_HOST_DEVICE constexpr T& operator*() const { return *object_; }
  MIQ_HOST_DEVICE constexpr T* operator->() const { return object_; }

 private:
  T* object_;
};

namespace detail {

/// Whether the bytes spanned by two host ranges intersect.
inline bool ranges_overlap(const void* a, std::int64_t a_bytes, const void* b, std::int64_t b_bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(a);
  const auto second = reinterpret_cast<std::uintptr_t>(b);
  return a_bytes > 0 && b_bytes > 0 && first < second + static_cast<std::uintptr_t>(b_bytes) &&
         second < first + static_cast<std::uintptr_t>(a_bytes);
}

template <class T, class Space>
std::int64_t spanned_bytes(const matrix_view<T, Space>& m) {
  return m.empty() ? 0 : ((m.rows() - 1) * m.leading() + m.columns()) * static_cast<std::int64_t>(sizeof(T));
}

/// Whether two matrices share memory. Conservative: padding between rows counts as theirs.
template <class A, class B, class Space>
bool overlap(const matrix_view<A, Space>& a, const matrix_view<B, Space>& b) {
  return ranges_overlap(a.data(), spanned_bytes(a), b.data(), spanned_bytes(b));
}

}  // namespace detail
}  // namespace miq
