// core/group.hpp: the groups of lanes that a kernel body runs on: one lane of the host, or the threads of a CUDA block.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <miq/core/executor.hpp>
#include <miq/core/version.hpp>

namespace miq {

/// Lanes that work on one block of a kernel together. A *body* is a struct that holds the arguments of a kernel:
///
///     struct scale_rows_body {
///       matrix_view<float> m;                        // arguments; raw pointers and views, copied to the device
///       static constexpr int lanes = 256;            // threads of a block where a device runs it
///       std::int64_t blocks() const;                 // blocks that there are: arithmetic, tested on the host
///       std::int64_t scratch_bytes() const;          // of each block: shared memory on a device
///       template <execution_group Group>
///       MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const;
///     };
///
/// Blocks are independent and may run in any order. Lanes of a block share `scratch` (aligned to 16 bytes, contents
/// undefined), meet in `sync()`, and take work by `rank()` and `size()`; a body must be right for every size, 1
/// included. The same body runs on the host (`run_body`), in tests on real threads (so that a missing `sync()` is a
/// race that ThreadSanitizer reports), and as a kernel (`core/launch.cuh`).
template <class Group>
concept execution_group = requires(const Group& group, int value, int* slot) {
  { group.rank() } -> std::convertible_to<std::int32_t>;
  { group.size() } -> std::convertible_to<std::int32_t>;
  group.sync();
  { group.broadcast(value, 0, slot) } -> std::same_as<int>;
};

/// One lane.
struct serial_group {
  MIQ_HOST_DEVICE constexpr std::int32_t rank() const { return 0; }
  MIQ_HOST_DEVICE constexpr std::int32_t size() const { return 1; }
  MIQ_HOST_DEVICE constexpr void sync() const {}
  /// The value of lane `from`, in every lane; `slot` is scratch for one T. Synchronises.
  template <class T>
  MIQ_HOST_DEVICE constexpr T broadcast(T value, std::int32_t /*from*/, T* /*slot*/) const {
    return value;
  }
};

/// Sum over the lanes of `value`, in every lane, always in the same order: pairs at distance 1, 2, 4... `slots` is
/// scratch for one T a lane; it may be used again after the call. Synchronises.
template <class Group, class T>
MIQ_HOST_DEVICE T sum_over_lanes(const Group& group, T value, T* slots) {
  const std::int32_t rank = group.rank();
  const std::int32_t size = group.size();
  slots[rank] = value;
  group.sync();
  for (std::int32_t distance = 1; distance < size; distance *= 2) {
    if (rank % (2 * distance) == 0 && rank + distance < size) slots[rank] += slots[rank + distance];
    group.sync();
  }
  const T total = slots[0];
  group.sync();
  return total;
}

/// In `slots[r]`, the sum of the values of lanes before r; the result is the sum of all. `slots` is scratch for one T
/// a lane. Synchronises; nothing is overwritten until the caller does so.
template <class Group, class T>
MIQ_HOST_DEVICE T exclusive_sum_over_lanes(const Group& group, T value, T* slots) {
  const std::int32_t rank = group.rank();
  const std::int32_t size = group.size();
  slots[rank] = value;
  group.sync();
  for (std::int32_t distance = 1; distance < size; distance *= 2) {
    const T before = rank >= distance ? slots[rank - distance] : T{};
    group.sync();
    slots[rank] += before;
    group.sync();
  }
  const T total = slots[size - 1];
  group.sync();
  slots[rank] -= value;
  group.sync();
  return total;
}

/// `*counter += amount` while other blocks do the same. For integers only: the order of additions is not fixed.
template <class T>
MIQ_HOST_DEVICE void add_atomically(T* counter, T amount) {
  static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                "sums of floats would depend on the order");
#if defined(__CUDA_ARCH__)
  using word = std::conditional_t<sizeof(T) == 8, unsigned long long, unsigned int>;
  atomicAdd(reinterpret_cast<word*>(counter), static_cast<word>(amount));
#else
  std::atomic_ref<T>(*counter).fetch_add(amount, std::memory_order_relaxed);
#endif
}

/// Runs every block of a body on the host with one lane each. Allocates its scratch from the executor's resource, one
/// block's for each of up to 64 tasks.
template <class Body>
void run_body(const host_executor& exec, const Body& body);

}  // namespace miq

#include <miq/core/detail/group.inl>
