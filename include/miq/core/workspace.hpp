// core/workspace.hpp: scratch memory, laid out by one piece of code for the size query and for the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>

#include <miq/core/error.hpp>

namespace miq {

/// Scratch memory that a caller hands to a function: at least the bytes that its `..._workspace_bytes` names, in the
/// executor's memory, any alignment. An empty one lets the function take its scratch from the executor's resource.
using workspace = std::span<std::byte>;

namespace detail {

/// Where each array of a function's scratch lies. A function builds its layout in one place; the size query asks it for
/// `bytes()`, the run carves the arrays out of a block by it, so that the two cannot disagree.
class workspace_layout {
 public:
  static constexpr std::int64_t alignment = 64;

  /// Reserves `count` elements of T; returns their offset in bytes.
  template <class T>
  std::int64_t add(std::int64_t count) {
    const auto offset = end_;
    end_ += (count * static_cast<std::int64_t>(sizeof(T)) + alignment - 1) / alignment * alignment;
    return offset;
  }

  /// Bytes of a block of any alignment that holds everything.
  std::int64_t bytes() const { return end_ == 0 ? 0 : end_ + alignment - 1; }

 private:
  std::int64_t end_ = 0;
};

/// The block that a layout is carved out of: the caller's workspace, or memory of a resource for the scope's duration.
class scratch_block {
 public:
  scratch_block(const char* function, const workspace_layout& layout, workspace given,
                std::pmr::memory_resource* resource)
      : bytes_(static_cast<std::size_t>(layout.bytes())) {
    if (!given.empty() && given.size() < bytes_)
      throw out_of_memory(join_message(function, ": workspace must hold ", bytes_, " bytes, got ", given.size()));
    if (given.empty() && bytes_ > 0) {
      resource_ = resource;
      owned_ = resource->allocate(bytes_, static_cast<std::size_t>(workspace_layout::alignment));
    }
    const auto address =
        reinterpret_cast<std::uintptr_t>(owned_ != nullptr ? owned_ : static_cast<void*>(given.data()));
    const auto mask = static_cast<std::uintptr_t>(workspace_layout::alignment - 1);
    base_ = reinterpret_cast<std::byte*>((address + mask) & ~mask);
  }
  scratch_block(const scratch_block&) = delete;
  scratch_block& operator=(const scratch_block&) = delete;
  ~scratch_block() {
    if (owned_ != nullptr) resource_->deallocate(owned_, bytes_, static_cast<std::size_t>(workspace_layout::alignment));
  }

  template <class T>
  T* at(std::int64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

 private:
  std::size_t bytes_ = 0;
  std::pmr::memory_resource* resource_ = nullptr;
  void* owned_ = nullptr;
  std::byte* base_ = nullptr;
};

}  // namespace detail
}  // namespace miq
