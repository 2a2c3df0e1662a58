// simulated_device/device.hpp: a device that does not exist, strict where a real one is lenient.
//
// What the CUDA runtime, cuBLAS, cuSOLVER and CUB do for miq is done here in plain C++, so that everything that device
// functions do on the host (launches, workspaces, copies, order, lifetimes) runs where there is no GPU. Only
// core/launch.cuh has a version of its own here; all other device code is compiled as it stands.
//
// * Device memory is a range of addresses that the host may touch only while the device works: a host function that
//   reads it ends in a segmentation fault, as on a real one. Kernels that are given host pointers are errors.
// * Nothing that is enqueued is done before a synchronisation, so that a missing one shows; streams do not wait for
//   each other. Copies from the host take the bytes at once, as the runtime does for memory that is not pinned.
// * Fresh and freed memory, and a block's shared memory, hold nonsense: NaN as floats of any width. Writes next to an
//   allocation are found when it is freed, and end the program.
// * A block's lanes are as many as the kernel's in launches of up to 16 blocks, and four in larger ones, each on a
// stack
//   of its own; between two synchronisations they run one after the other in an order that changes every time, so that
//   a missing one changes results. Under AddressSanitizer and ThreadSanitizer, which do not know these stacks, and with
//   MIQ_SIMULATED_LANES=1, blocks have one lane.
// * Allocating, freeing or synchronising while a stream is captured is an error.
//
// MIQ_SIMULATED_CAPABILITY=75 and MIQ_SIMULATED_SHARED_MEMORY=65536 make the device another one.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>

namespace simulated {

/// Device memory that an operation touches.
struct range {
  const void* begin;
  std::int64_t bytes;
};
template <class T>
range reads(const T* begin, std::int64_t count) {
  return {begin, count * static_cast<std::int64_t>(sizeof(T))};
}
template <class T>
range writes(T* begin, std::int64_t count) {
  return {begin, count * static_cast<std::int64_t>(sizeof(T))};
}

/// Enqueues work for the device. Ranges that are not within an allocation are `cudaErrorIllegalAddress`, and a line on
/// standard error says which.
cudaError_t enqueue(cudaStream_t stream, const char* name, std::initializer_list<range> ranges,
                    std::function<void()> work);

/// The same for a kernel, whose arguments must not hold addresses of host memory.
cudaError_t enqueue_kernel(cudaStream_t stream, const char* name, const void* arguments, std::size_t bytes,
                           std::function<void()> work);

/// Runs `body` once on each of `count` lanes (test_support/lane_stacks.hpp), on one where they cannot be had.
void run_lanes(std::int32_t count, const std::function<void()>& body);
/// Shared memory of a block: `bytes` of nonsense, the same place every time. `check_shared` ends the program if
/// something was written behind them.
std::byte* fresh_shared(std::int64_t bytes);
void check_shared(const char* name);

/// What tests may ask: allocations that live, and how many there have been.
std::int64_t live_allocations();

}  // namespace simulated
