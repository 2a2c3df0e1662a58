// Groups of columns as kernels read them: one block of bytes, made on the host.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include <miq/core/workspace.hpp>
#include <miq/quantization/detail/fit/column_groups.hpp>

namespace miq::quantization::detail {

/// Pointers into such a block, in the memory that it lies in.
struct group_table {
  std::int64_t columns = 0;
  std::int64_t groups = 0;
  std::int64_t chunks = 0;                    // of up to `chunk_columns` columns of one group
  const std::int32_t* labels = nullptr;       // [columns]
  const std::int32_t* places = nullptr;       // [columns], 0, 1, 2...: the grid column of each column that has its own
  const std::int32_t* start = nullptr;        // [groups + 1], into members
  const std::int32_t* members = nullptr;      // [columns], ascending in each group
  const std::int32_t* chunk_start = nullptr;  // [groups + 1], the chunks of each group
  const std::int32_t* chunk_group = nullptr;  // [chunks]
  const std::int32_t* chunk_first = nullptr;  // [chunks], into members
  const std::uint8_t* bits = nullptr;         // [groups]
  const std::uint8_t* column_bits = nullptr;  // [columns]

  static constexpr std::int64_t chunk_columns = 64;

  MIQ_HOST_DEVICE std::int64_t group_size(std::int64_t g) const { return start[g + 1] - start[g]; }
  MIQ_HOST_DEVICE std::int64_t chunk_size(std::int64_t chunk) const {
    const std::int64_t left = start[chunk_group[chunk] + 1] - chunk_first[chunk];
    return left < chunk_columns ? left : chunk_columns;
  }
};

/// Where its arrays lie.
struct group_table_layout {
  std::int64_t columns;
  std::int64_t groups;
  std::int64_t chunks;
  miq::detail::workspace_layout all;
  std::int64_t labels, places, start, members, chunk_start, chunk_group, chunk_first, bits, column_bits;

  group_table_layout(std::int64_t column_count, std::int64_t group_count, std::int64_t chunk_count)
      : columns(column_count), groups(group_count), chunks(chunk_count) {
    labels = all.add<std::int32_t>(columns);
    places = all.add<std::int32_t>(columns);
    start = all.add<std::int32_t>(groups + 1);
    members = all.add<std::int32_t>(columns);
    chunk_start = all.add<std::int32_t>(groups + 1);
    chunk_group = all.add<std::int32_t>(chunks);
    chunk_first = all.add<std::int32_t>(chunks);
    bits = all.add<std::uint8_t>(groups);
    column_bits = all.add<std::uint8_t>(columns);
  }

  /// The table whose block begins at `base`.
  group_table at(const std::byte* base) const {
    const auto ints = [&](std::int64_t offset) { return reinterpret_cast<const std::int32_t*>(base + offset); };
    const auto bytes = [&](std::int64_t offset) { return reinterpret_cast<const std::uint8_t*>(base + offset); };
    return {columns,
            groups,
            chunks,
            ints(labels),
            ints(places),
            ints(start),
            ints(members),
            ints(chunk_start),
            ints(chunk_group),
            ints(chunk_first),
            bytes(bits),
            bytes(column_bits)};
  }
};

/// Chunks that groups of these sizes have.
inline std::int64_t count_chunks(const column_groups& groups) {
  std::int64_t count = 0;
  for (std::size_t g = 0; g + 1 < groups.start.size(); ++g)
    count += (groups.start[g + 1] - groups.start[g] + group_table::chunk_columns - 1) / group_table::chunk_columns;
  return count;
}

/// Writes the block. Labels and widths have been checked.
inline void write_group_table(const group_table_layout& layout, const column_groups& groups,
                              std::span<const std::int32_t> labels, std::span<const std::uint8_t> bits,
                              std::byte* base) {
  const auto ints = [&](std::int64_t offset) { return reinterpret_cast<std::int32_t*>(base + offset); };
  const auto bytes = [&](std::int64_t offset) { return reinterpret_cast<std::uint8_t*>(base + offset); };
  std::copy(labels.begin(), labels.end(), ints(layout.labels));
  std::copy(bits.begin(), bits.end(), bytes(layout.bits));
  for (std::size_t c = 0; c < labels.size(); ++c) {
    ints(layout.places)[c] = static_cast<std::int32_t>(c);
    ints(layout.members)[c] = static_cast<std::int32_t>(groups.columns[c]);
    bytes(layout.column_bits)[c] = bits[static_cast<std::size_t>(labels[c])];
  }
  std::int32_t chunk = 0;
  for (std::int64_t g = 0; g < layout.groups; ++g) {
    const auto first = groups.start[static_cast<std::size_t>(g)];
    const auto last = groups.start[static_cast<std::size_t>(g) + 1];
    ints(layout.start)[g] = static_cast<std::int32_t>(first);
    ints(layout.chunk_start)[g] = chunk;
    for (auto at = first; at < last; at += group_table::chunk_columns) {
      ints(layout.chunk_group)[chunk] = static_cast<std::int32_t>(g);
      ints(layout.chunk_first)[chunk] = static_cast<std::int32_t>(at);
      ++chunk;
    }
  }
  ints(layout.start)[layout.groups] = static_cast<std::int32_t>(layout.columns);
  ints(layout.chunk_start)[layout.groups] = chunk;
}

}  // namespace miq::quantization::detail
