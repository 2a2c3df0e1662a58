// core/device_memory.hpp: where device memory comes from, arrays that own it, and scratch carved out of it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include <miq/core/cuda_error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/workspace.hpp>

namespace miq {

/// A source of device memory in the order of a stream: an engine's caching allocator goes in here.
class device_memory_resource {
 public:
  virtual ~device_memory_resource() = default;
  /// At least `bytes` bytes, aligned to 256, that work enqueued on `stream` afterwards may use.
  /// @throws out_of_memory
  virtual void* allocate(std::int64_t bytes, cudaStream_t stream) = 0;
  /// Gives memory back; work enqueued on `stream` before may still be using it. Must not throw.
  virtual void deallocate(void* memory, std::int64_t bytes, cudaStream_t stream) noexcept = 0;
};

/// The runtime's own pool: `cudaMallocAsync` and `cudaFreeAsync`. Neither synchronises.
class pooled_device_memory final : public device_memory_resource {
 public:
  void* allocate(std::int64_t bytes, cudaStream_t stream) override {
    void* memory = nullptr;
    check_cuda(cudaMallocAsync(&memory, static_cast<std::size_t>(bytes), stream), "cudaMallocAsync");
    return memory;
  }
  void deallocate(void* memory, std::int64_t /*bytes*/, cudaStream_t stream) noexcept override {
    static_cast<void>(cudaFreeAsync(memory, stream));
  }
};

/// The resource that executors use unless they are given another. Has no state.
inline device_memory_resource& default_device_memory() {
  static pooled_device_memory pool;
  return pool;
}

/// Scratch memory that a caller hands to a device function: at least the bytes that its size query names, on the
/// executor's device, any alignment. An empty one lets the function take its scratch from the executor's resource.
struct device_workspace {
  void* data = nullptr;
  std::int64_t bytes = 0;

  bool empty() const { return bytes == 0; }
};

/// Device memory for `size` elements, owned. Not initialised. Freed in the order of the stream it was made with.
template <class T>
class device_array {
  static_assert(std::is_trivially_copyable_v<T>, "device_array holds plain data");

 public:
  device_array() = default;
  device_array(std::int64_t size, cudaStream_t stream, device_memory_resource& resource = default_device_memory())
      : size_(size), stream_(stream), resource_(&resource) {
    detail::require(size >= 0, "device_array: size must not be negative, got ", size);
    if (size > 0) data_ = static_cast<T*>(resource.allocate(bytes(), stream));
  }
  device_array(device_array&& other) noexcept { swap(other); }
  device_array& operator=(device_array&& other) noexcept {
    device_array taken(std::move(other));  // and what was here goes
    swap(taken);
    return *this;
  }
  ~device_array() {
    if (data_ != nullptr) resource_->deallocate(data_, bytes(), stream_);
  }
  void swap(device_array& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(stream_, other.stream_);
    std::swap(resource_, other.resource_);
  }

  T* data() const { return data_; }
  std::int64_t size() const { return size_; }
  std::int64_t bytes() const { return size_ * static_cast<std::int64_t>(sizeof(T)); }
  vector_view<T, device_memory> view() const { return {data_, size_}; }
  operator vector_view<T, device_memory>() const { return view(); }
  operator vector_view<const T, device_memory>() const { return view(); }
  /// The elements as a row-major matrix. @throws invalid_argument if their number is not rows * columns
  matrix_view<T, device_memory> as_matrix(std::int64_t rows, std::int64_t columns) const {
    detail::require(rows * columns == size_, "device_array: as_matrix must cover ", size_, " elements, got ",
                    detail::shape_text(rows, columns));
    return {data_, rows, columns};
  }

 private:
  T* data_ = nullptr;
  std::int64_t size_ = 0;
  cudaStream_t stream_ = nullptr;
  device_memory_resource* resource_ = nullptr;
};

/// A row-major device matrix that owns its memory, rows contiguous. Not initialised.
template <class T>
class device_matrix {
 public:
  device_matrix() = default;
  /// @throws invalid_argument if an extent is negative or the size in bytes overflows; out_of_memory
  device_matrix(std::int64_t rows, std::int64_t columns, cudaStream_t stream,
                device_memory_resource& resource = default_device_memory())
      : memory_(checked_size(rows, columns), stream, resource), rows_(rows), columns_(columns) {}
  /// Takes over the elements of an array. @throws invalid_argument if their number is not rows * columns
  device_matrix(device_array<T>&& memory, std::int64_t rows, std::int64_t columns) : rows_(rows), columns_(columns) {
    static_cast<void>(memory.as_matrix(rows, columns));
    memory_ = std::move(memory);
  }
  device_matrix(device_matrix&& other) noexcept { swap(other); }
  device_matrix& operator=(device_matrix&& other) noexcept {
    device_matrix taken(std::move(other));  // and what was here goes
    swap(taken);
    return *this;
  }

  void swap(device_matrix& other) noexcept {
    memory_.swap(other.memory_);
    std::swap(rows_, other.rows_);
    std::swap(columns_, other.columns_);
  }

  T* data() const { return memory_.data(); }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  std::int64_t size() const { return rows_ * columns_; }
  bool empty() const { return size() == 0; }
  matrix_view<T, device_memory> view() const { return {memory_.data(), rows_, columns_}; }
  operator matrix_view<T, device_memory>() const { return view(); }
  operator matrix_view<const T, device_memory>() const { return view(); }

 private:
  static std::int64_t checked_size(std::int64_t rows, std::int64_t columns) {
    detail::require(rows >= 0 && columns >= 0, "device_matrix: extents must not be negative, got ",
                    detail::shape_text(rows, columns));
    constexpr auto most = std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(sizeof(T));
    detail::require(columns == 0 || rows <= most / columns,
                    "device_matrix: extents must address less than 2^63 bytes, got ",
                    detail::shape_text(rows, columns));
    return rows * columns;
  }

  device_array<T> memory_;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
};

namespace detail {

/// The device block that a layout is carved out of: the caller's workspace, or memory of a resource for the scope's
/// duration, in the order of the stream.
class device_scratch {
 public:
  device_scratch(const char* function, const workspace_layout& layout, device_workspace given, cudaStream_t stream,
                 device_memory_resource& resource)
      : bytes_(layout.bytes()), stream_(stream) {
    if (!given.empty() && given.bytes < bytes_)
      throw out_of_memory(join_message(function, ": workspace must hold ", bytes_, " bytes, got ", given.bytes));
    if (given.empty() && bytes_ > 0) {
      resource_ = &resource;
      owned_ = resource.allocate(bytes_, stream);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(owned_ != nullptr ? owned_ : given.data);
    const auto mask = static_cast<std::uintptr_t>(workspace_layout::alignment - 1);
    base_ = reinterpret_cast<std::byte*>((address + mask) & ~mask);
  }
  device_scratch(const device_scratch&) = delete;
  device_scratch& operator=(const device_scratch&) = delete;
  ~device_scratch() {
    if (owned_ != nullptr) resource_->deallocate(owned_, bytes_, stream_);
  }

  template <class T>
  T* at(std::int64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

 private:
  std::int64_t bytes_;
  cudaStream_t stream_;
  device_memory_resource* resource_ = nullptr;
  void* owned_ = nullptr;
  std::byte* base_ = nullptr;
};

}  // namespace detail
}  // namespace miq
