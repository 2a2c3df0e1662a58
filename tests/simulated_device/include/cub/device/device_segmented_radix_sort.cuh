// The part of CUB that miq calls, on a simulated device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "simulated_device/device.hpp"

namespace cub {

template <class T>
struct DoubleBuffer {
  DoubleBuffer(T* current, T* alternate) : buffers{current, alternate} {}
  T* Current() const { return buffers[selector]; }
  T* Alternate() const { return buffers[1 - selector]; }
  T* buffers[2];
  int selector = 0;
};

struct DeviceSegmentedRadixSort {
  /// Sorts whole keys of a given range of bits; the result lies in the other buffer, as it does after an odd number of
  /// passes.
  template <class Key, class Begin, class End>
  static cudaError_t SortKeys(void* scratch, std::size_t& bytes, DoubleBuffer<Key>& keys, int items, int segments,
                              Begin begins, End ends, int begin_bit, int end_bit, cudaStream_t stream) {
    if (begin_bit != 0 || end_bit != static_cast<int>(8 * sizeof(Key)) || items < 0 || segments < 0)
      return cudaErrorInvalidValue;
    if (scratch == nullptr) {
      bytes = 1;  // what CUB answers where it needs none
      return cudaSuccess;
    }
    const Key* const from = keys.Current();
    Key* const to = keys.Alternate();
    keys.selector = 1 - keys.selector;
    return simulated::enqueue(stream, "cub::DeviceSegmentedRadixSort::SortKeys",
                              {simulated::reads(from, items), simulated::writes(to, items),
                               simulated::reads(begins, segments), simulated::reads(ends, segments)},
                              [=] {
                                for (int s = 0; s < segments; ++s) {
                                  std::copy(from + begins[s], from + ends[s], to + begins[s]);
                                  std::sort(to + begins[s], to + ends[s]);
                                }
                              });
  }
};

}  // namespace cub
