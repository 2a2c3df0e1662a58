// test_support/nonsense_memory.hpp: memory as a device gives it: not initialised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <miq/core/workspace.hpp>

#include "test_support/catch.hpp"

namespace miq_test {

/// Memory for a layout, filled with what shows where it is read before it is written: NaN as float and as double, far
/// out of range as an integer. Whether nothing was written behind the end is checked when it goes.
class nonsense_memory {
 public:
  explicit nonsense_memory(const miq::detail::workspace_layout& layout)
      : size_(layout.bytes() == 0 ? 0 : layout.bytes() - (alignment - 1)),
        bytes_(static_cast<std::size_t>(alignment + size_ + alignment)) {
    const auto past = reinterpret_cast<std::uintptr_t>(bytes_.data()) % std::uintptr_t{alignment};
    base_ = bytes_.data() + (alignment - past) % std::uintptr_t{alignment};
    for (std::int64_t k = 0; k < size_ + alignment; ++k) base_[k] = nonsense(k);
  }
  nonsense_memory(const nonsense_memory&) = delete;
  nonsense_memory& operator=(const nonsense_memory&) = delete;
  ~nonsense_memory() { CHECK(intact()); }

  std::byte* data() const { return base_; }
  /// Of the layout, a multiple of its alignment.
  std::int64_t bytes() const { return size_; }
  template <class T>
  T* at(std::int64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

  bool intact() const {
    for (std::int64_t k = size_; k < size_ + alignment; ++k)
      if (base_[k] != nonsense(k)) return false;
    return true;
  }

 private:
  static constexpr std::int64_t alignment = miq::detail::workspace_layout::alignment;

  static std::byte nonsense(std::int64_t k) {
    constexpr std::byte word[] = {std::byte{0xA5}, std::byte{0xA5}, std::byte{0xF5}, std::byte{0xFF}};
    return word[k % 4];
  }

  std::int64_t size_;
  std::vector<std::byte> bytes_;
  std::byte* base_;
};

}  // namespace miq_test
