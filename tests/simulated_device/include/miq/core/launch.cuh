// Stands in for kernels/core/launch.cuh: runs kernel bodies on the simulated device.
#pragma once

#include <algorithm>
#include <cstdint>

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/group.hpp>

#include "simulated_device/device.hpp"
#include "test_support/lane_stacks.hpp"

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

struct block_group {
  std::int32_t rank() const { return miq_test::lane(); }
  std::int32_t size() const { return miq_test::lanes(); }
  void sync() const { miq_test::meet(); }
  template <class T>
  T broadcast(T value, std::int32_t from, T* slot) const {
    if (rank() == from) *slot = value;
    sync();
    const T result = *slot;
    sync();
    return result;
  }
};

template <class Body>
void launch(const cuda_executor& exec, const char* name, const Body& body) {
  const std::int64_t blocks = body.blocks();
  if (blocks <= 0) return;
  const std::int64_t bytes = body.scratch_bytes();
  detail::require(bytes <= exec.block_memory(), name, ": a block needs ", bytes, " bytes of shared memory, device ",
                  exec.device(), " has ", exec.block_memory());
  static_assert(Body::lanes >= 1 && Body::lanes <= 1024);
  static_assert(sizeof(Body) <= 4096, "kernels take at most 4 KiB of arguments");
  // Large launches would take minutes with all lanes.
  const std::int32_t lanes = blocks <= 16 ? Body::lanes : std::min(Body::lanes, 4);
  Body arguments = body;
#if __has_builtin(__builtin_clear_padding)
  __builtin_clear_padding(&arguments);  // which may hold what lay there before, host pointers among it
  const auto size = sizeof arguments;
#else
  const std::size_t size = 0;
#endif
  const auto code =
      simulated::enqueue_kernel(exec.stream(), name, &arguments, size, [body, blocks, bytes, lanes, name] {
        // Blocks in an order that no body may rely on: the last first.
        for (std::int64_t block = blocks - 1; block >= 0; --block) {
          std::byte* const scratch = simulated::fresh_shared(bytes);
          simulated::run_lanes(lanes, [&] { body(block_group{}, block, scratch); });
          simulated::check_shared(name);
        }
      });
  check_cuda(code, name);
}

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
