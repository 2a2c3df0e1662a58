// quantization/host_table.hpp: a group table in host memory.
#pragma once

#include <cstdint>
#include <vector>

#include <miq/quantization/detail/fit/group_table.hpp>

#include "test_support/nonsense_memory.hpp"

namespace miq_test {

class host_table {
 public:
  host_table(const std::vector<std::int32_t>& labels, const std::vector<std::uint8_t>& bits)
      : groups_(miq::quantization::detail::columns_by_group(labels, static_cast<std::int64_t>(bits.size()))),
        layout_(static_cast<std::int64_t>(labels.size()), static_cast<std::int64_t>(bits.size()),
                miq::quantization::detail::count_chunks(groups_)),
        memory_(layout_.all) {
    miq::quantization::detail::write_group_table(layout_, groups_, labels, bits, memory_.data());
  }
  miq::quantization::detail::group_table table() const { return layout_.at(memory_.data()); }

 private:
  miq::quantization::detail::column_groups groups_;
  miq::quantization::detail::group_table_layout layout_;
  nonsense_memory memory_;
};

}  // namespace miq_test
