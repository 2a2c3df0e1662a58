// core/launch.cuh: runs kernel bodies (core/group.hpp) on a stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/group.hpp>

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// The threads of a CUDA block of `Lanes` threads.
template <int Lanes>
struct block_group {
  __device__ std::int32_t rank() const { return static_cast<std::int32_t>(threadIdx.x); }
  __device__ constexpr std::int32_t size() const { return Lanes; }
  __device__ void sync() const { __syncthreads(); }
  template <class T>
  __device__ T broadcast(T value, std::int32_t from, T* slot) const {
    if (rank() == from) *slot = value;
    __syncthreads();
    const T result = *slot;
    __syncthreads();
    return result;
  }
};

/// The one kernel that there is: every block of the grid takes blocks of the body until there are no more.
template <class Body>
__global__ void __attribute__((visibility("hidden"))) __launch_bounds__(Body::lanes)
    run_blocks(const __grid_constant__ Body body, std::int64_t blocks) {
  extern __shared__ __align__(16) unsigned char scratch[];
  for (std::int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    if (block != blockIdx.x) __syncthreads();  // the lanes before may still be reading the scratch
    body(block_group<Body::lanes>{}, block, reinterpret_cast<std::byte*>(scratch));
  }
}

/// Enqueues a body. Does not allocate, does not synchronise, may be captured.
/// @param name  of the kernel, in errors
/// @throws invalid_argument  if a block needs more shared memory than the device has, or another device is current
/// @throws cuda_error        if the launch fails
template <class Body>
void launch(const cuda_executor& exec, const char* name, const Body& body) {
  const std::int64_t blocks = body.blocks();
  if (blocks <= 0) return;
  int current = 0;
  check_cuda(cudaGetDevice(&current), name);
  detail::require(current == exec.device(), name, ": the executor's device, ", exec.device(),
                  ", must be the current one, which is ", current);
  const std::int64_t bytes = body.scratch_bytes();
  detail::require(bytes <= exec.block_memory(), name, ": a block needs ", bytes, " bytes of shared memory, device ",
                  exec.device(), " has ", exec.block_memory());
  // Beyond 48 KiB a kernel has to ask.
  if (bytes > 48 * 1024)
    check_cuda(
        cudaFuncSetAttribute(run_blocks<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        name);
  const auto grid = static_cast<unsigned>(std::min<std::int64_t>(blocks, 0x7FFFFFFF));
  run_blocks<Body><<<grid, Body::lanes, static_cast<std::size_t>(bytes), exec.stream()>>>(body, blocks);
  check_cuda(cudaGetLastError(), name);
}

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
