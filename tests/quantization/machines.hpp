// What runs kernel bodies in tests of the order in which a device would run them: the host's loop, or threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include <miq/core/group.hpp>
#include <miq/quantization/detail/group_table.hpp>

#include "test_support/lanes.hpp"

namespace miq_test {

/// `lanes` 0: one lane, blocks on two threads.
struct machine {
  std::int32_t lanes = 0;

  template <class Body>
  void launch(const char*, const Body& body) const {
    if (lanes != 0)
      run_on_lanes(lanes, body);
    else
      miq::run_body(miq::host_executor({.threads = 2}), body);
  }
};

/// Scratch that a layout asks for, filled with nonsense, aligned as the library aligns it.
class scratch {
 public:
  explicit scratch(const miq::detail::workspace_layout& layout)
      : bytes_(static_cast<std::size_t>(layout.bytes()), std::byte{0xA5}),
        block_("test", layout, bytes_, std::pmr::get_default_resource()) {}
  std::byte* base() const { return block_.at<std::byte>(0); }

 private:
  std::vector<std::byte> bytes_;
  miq::detail::scratch_block block_;
};

/// A group table in host memory.
class host_table {
 public:
  host_table(const std::vector<std::int32_t>& labels, const std::vector<std::uint8_t>& bits)
      : groups_(miq::quantization::detail::columns_by_group(labels, static_cast<std::int64_t>(bits.size()))),
        layout_(static_cast<std::int64_t>(labels.size()), static_cast<std::int64_t>(bits.size()),
                miq::quantization::detail::count_chunks(groups_)),
        memory_(layout_.all) {
    miq::quantization::detail::write_group_table(layout_, groups_, labels, bits, memory_.base());
  }
  miq::quantization::detail::group_table table() const { return layout_.at(memory_.base()); }

 private:
  miq::quantization::detail::column_groups groups_;
  miq::quantization::detail::group_table_layout layout_;
  scratch memory_;
};

}  // namespace miq_test
