// test_support/device.hpp: skips device tests where there is no device, and copies to and from it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/matrix.hpp>

#include "test_support/catch.hpp"

namespace miq_test {

/// Empty if there is a device; otherwise why not.
inline std::string no_device() {
  int count = 0;
  const auto code = cudaGetDeviceCount(&count);
  if (code == cudaSuccess && count > 0) return {};
  static_cast<void>(cudaGetLastError());
  return std::string("no CUDA device: ") + cudaGetErrorString(code);
}

inline bool gpu_required() {
  const char* required = std::getenv("MIQ_REQUIRE_GPU");
  return required != nullptr && std::string(required) == "1";
}

/// Whether the device is the simulated one (simulated_device/device.hpp), on which large sizes take minutes.
#if defined(MIQ_SIMULATED_DEVICE)
inline constexpr bool device_is_simulated = true;
#else
inline constexpr bool device_is_simulated = false;
#endif

/// A stream of its own.
class stream {
 public:
  stream() { miq::check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  ~stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A host matrix's copy on the device.
template <class T>
class device_matrix {
 public:
  device_matrix(const miq::cuda_executor& exec, miq::matrix_view<const T> from)
      : device_matrix(exec, from.rows(), from.columns()) {
    miq::copy(exec, from, view());
    exec.synchronise();
  }
  device_matrix(const miq::cuda_executor& exec, std::int64_t rows, std::int64_t columns)
      : memory_(rows, columns, exec.stream(), exec.resource()) {}

  miq::matrix_view<T, miq::device_memory> view() const { return memory_.view(); }
  miq::matrix_view<const T, miq::device_memory> read() const { return view(); }
  miq::matrix<T> fetch(const miq::cuda_executor& exec) const {
    miq::matrix<T> out(memory_.rows(), memory_.columns());
    miq::copy(exec, read(), out.view());
    exec.synchronise();
    return out;
  }

 private:
  miq::device_matrix<T> memory_;
};

/// A host vector's copy on the device.
template <class T>
class device_vector {
 public:
  device_vector(const miq::cuda_executor& exec, const std::vector<T>& from)
      : memory_(static_cast<std::int64_t>(from.size()), exec.stream(), exec.resource()) {
    miq::copy(exec, miq::vector_view<const T>(from), view());
    exec.synchronise();
  }
  device_vector(const miq::cuda_executor& exec, std::int64_t size) : memory_(size, exec.stream(), exec.resource()) {}

  miq::vector_view<T, miq::device_memory> view() const { return memory_.view(); }
  miq::vector_view<const T, miq::device_memory> read() const { return view(); }
  std::vector<T> fetch(const miq::cuda_executor& exec) const {
    std::vector<T> out(static_cast<std::size_t>(memory_.size()));
    miq::copy(exec, read(), miq::vector_view<T>(out));
    exec.synchronise();
    return out;
  }

 private:
  miq::device_array<T> memory_;
};

}  // namespace miq_test

/// Leaves the test case where there is no device: skipped, or failed if MIQ_REQUIRE_GPU=1.
#define MIQ_NEEDS_DEVICE()                                             \
  do {                                                                 \
    const std::string missing = ::miq_test::no_device();               \
    if (!missing.empty() && ::miq_test::gpu_required()) FAIL(missing); \
    if (!missing.empty()) MIQ_SKIP(missing);                           \
  } while (false)
