// Where arrays lie in a machine's scratch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace miq::grouping::detail {

/// The array that lies `offset` bytes into a machine's scratch.
template <class T>
T* place(std::byte* scratch, std::int64_t offset) {
  return reinterpret_cast<T*>(scratch + offset);
}

}  // namespace miq::grouping::detail
