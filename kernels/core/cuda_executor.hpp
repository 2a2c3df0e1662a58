// core/cuda_executor.hpp: runs miq's functions on a CUDA stream.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <miq/core/device_memory.hpp>
#include <miq/core/executor.hpp>

namespace miq {

/// What a `cuda_executor` is made of.
struct cuda_executor_options {
  device_memory_resource* resource = nullptr;  ///< scratch and results; null: `cudaMallocAsync`
  cublasHandle_t blas = nullptr;  ///< null: made; a handle that is given has its stream and modes set, and is kept
  cusolverDnHandle_t solver = nullptr;  ///< null: made; the same
  std::int64_t blas_workspace =
      32 << 20;  ///< bytes that cuBLAS gets from `resource` once, so that it allocates nothing
                 ///< in a call; 0: cuBLAS's own. What handles are given keeps its own.
};

/// The smallest compute capability that miq's kernels run on, as major * 10 + minor.
inline constexpr int minimum_compute_capability = 75;

namespace detail {

/// A handle of a library: made and destroyed here, or the caller's and left alone.
template <class Context, auto Destroy>
class library_handle {
 public:
  library_handle() = default;
  library_handle(Context* handle, bool owned) : handle_(handle), owned_(owned) {}
  library_handle(library_handle&& other) noexcept { swap(other); }
  library_handle& operator=(library_handle&& other) noexcept {
    swap(other);
    return *this;
  }
  ~library_handle() {
    if (owned_) static_cast<void>(Destroy(handle_));
  }
  void swap(library_handle& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(owned_, other.owned_);
  }
  Context* get() const { return handle_; }

 private:
  Context* handle_ = nullptr;
  bool owned_ = false;
};

}  // namespace detail

/// Runs on one device, in the order of one stream. Used by one thread at a time; executors of different threads do not
/// meet. Moves; does not copy. The stream is the caller's and must outlive it.
///
/// All work of a function that takes a `cuda_executor` goes to this stream, cuBLAS's and cuSOLVER's included. Matrix
/// products are in full float accuracy: TF32 is switched off in handles that the executor makes or is given.
class cuda_executor {
 public:
  using memory_space = device_memory;

  /// Takes the stream's work to the device that is current. Makes library handles, which allocates and may
  /// synchronise.
  /// @throws cuda_error  if there is no device, or its compute capability is below 7.5 (the message says which it is)
  /// @throws out_of_memory
  explicit cuda_executor(cudaStream_t stream, const cuda_executor_options& options = {});
  cuda_executor(cuda_executor&&) noexcept = default;
  cuda_executor& operator=(cuda_executor&&) noexcept = default;

  cudaStream_t stream() const { return stream_; }
  cublasHandle_t blas() const { return blas_.get(); }
  cusolverDnHandle_t solver() const { return solver_.get(); }
  device_memory_resource& resource() const { return *resource_; }
  int device() const { return device_; }
  int multiprocessors() const { return multiprocessors_; }
  /// Bytes of shared memory that a block may have at most.
  std::int64_t block_memory() const { return block_memory_; }

  /// Waits for the stream. @throws cuda_error  what went wrong in work enqueued before
  void synchronise() const { check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

 private:
  cudaStream_t stream_ = nullptr;
  device_memory_resource* resource_ = nullptr;
  int device_ = 0;
  int multiprocessors_ = 0;
  std::int64_t block_memory_ = 0;
  device_array<std::byte> blas_memory_;  // outlives the handle that uses it
  detail::library_handle<cublasContext, cublasDestroy> blas_;
  detail::library_handle<cusolverDnContext, cusolverDnDestroy> solver_;
};
static_assert(executor<cuda_executor>);

/// Copies between host and device, or on the device, in the order of the executor's stream. From or to pageable host
/// memory the runtime may wait; otherwise these do not synchronise.
/// @throws invalid_argument if shapes differ
template <class From, class Source, class T, class Target>
requires std::same_as<std::remove_const_t<From>, T>
void copy(const cuda_executor& exec, matrix_view<From, Source> from, matrix_view<T, Target> to);
template <class From, class Source, class T, class Target>
requires std::same_as<std::remove_const_t<From>, T>
void copy(const cuda_executor& exec, vector_view<From, Source> from, vector_view<T, Target> to);

}  // namespace miq

#include <miq/core/detail/cuda_executor.inl>
