// core/matrix.hpp: owning host matrices, aligned for vector instructions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <type_traits>
#include <utility>

#include <miq/core/matrix_view.hpp>

namespace miq {

/// A row-major host matrix that owns its memory: 64-byte aligned, rows contiguous, elements
/// value-initialised. Memory comes from a `std::pmr::memory_resource`, the default one unless another is given. Copies
/// are deep and use the default resource, as the standard's polymorphic containers do.
template <class T>
class matrix {
  static_assert(std::is_trivially_copyable_v<T>, "matrix holds plain data");

 public:
  matrix() = default;

  /// @throws invalid_argument if an extent is negative or the size in bytes overflows; std::bad_alloc as the resource
  /// does
  matrix(std::int64_t rows, std::int64_t columns,
         std::pmr::memory_resource* resource = std::pmr::get_default_resource())
      : matrix(rows, columns, T{}, resource) {}

  matrix(std::int64_t rows, std::int64_t columns, const T& value,
         std::pmr::memory_resource* resource = std::pmr::get_default_resource())
      : matrix(uninitialised{}, rows, columns, resource) {
    std::fill_n(data_, size(), value);
  }

  explicit matrix(matrix_view<const T> source, std::pmr::memory_resource* resource = std::pmr::get_default_resource())
      : matrix(uninitialised{}, source.rows(), source.columns(), resource) {
    for (std::int64_t r = 0; r < rows_; ++r)
      std::copy_n(source.data() + r * source.leading(), columns_, data_ + r * columns_);
  }

  matrix(const matrix& other) : matrix(matrix_view<const T>(other.view())) {}
  matrix(matrix&& other) noexcept { swap(other); }
  matrix& operator=(matrix other) noexcept {
    swap(other);
    return *this;
  }
  ~matrix() {
    if (data_ != nullptr) resource_->deallocate(data_, bytes(), alignment);
  }

  void swap(matrix& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(rows_, other.rows_);
    std::swap(columns_, other.columns_);
    std::swap(resource_, other.resource_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  std::int64_t size() const { return rows_ * columns_; }
  bool empty() const { return size() == 0; }
  T& operator()(std::int64_t r, std::int64_t c) { return data_[r * columns_ + c]; }
  const T& operator()(std::int64_t r, std::int64_t c) const { return data_[r * columns_ + c]; }

  matrix_view<T> view() { return {data_, rows_, columns_}; }
  matrix_view<const T> view() const { return {data_, rows_, columns_}; }
  operator matrix_view<T>() { return view(); }
  operator matrix_view<const T>() const { return view(); }

 private:
  static constexpr std::size_t alignment = 64;
  struct uninitialised {};

  matrix(uninitialised, std::int64_t rows, std::int64_t columns, std::pmr::memory_resource* resource)
      : rows_(rows), columns_(columns), resource_(resource) {
    detail::require(rows >= 0 && columns >= 0, "matrix: extents must not be negative, got ",
                    detail::shape_text(rows, columns));
    constexpr auto most = std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(sizeof(T));
    detail::require(columns == 0 || rows <= most / columns, "matrix: extents must address less than 2^63 bytes, got ",
                    detail::shape_text(rows, columns));
    if (size() > 0) data_ = static_cast<T*>(resource_->allocate(bytes(), alignment));
  }

  std::size_t bytes() const { return static_cast<std::size_t>(size()) * sizeof(T); }

  T* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::pmr::memory_resource* resource_ = std::pmr::get_default_resource();
};

}  // namespace miq
