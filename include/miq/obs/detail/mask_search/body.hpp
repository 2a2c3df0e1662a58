// The search for a mask: the kernel bodies. Selection is in selection/layer_body.hpp, the order of launches in
// schedule.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include <miq/core/group.hpp>
#include <miq/obs/detail/solver/invalid_values_body.hpp>

namespace miq::obs::detail {

/// The arrays of a search; `both` and `moved` are [rows, columns] without padding.
struct search_arrays {
  static constexpr std::int64_t tall = 4;  // rows of a block where values are taken one by one

  std::int64_t rows = 0, columns = 0;
  const float* target = nullptr;
  std::int64_t target_leading = 0;
  const float* start = nullptr;  // null: the target
  std::int64_t start_leading = 0;
  const std::uint8_t* given = nullptr;  // the mask to begin with
  std::int64_t given_leading = 0;
  std::uint8_t* kept = nullptr;
  std::int64_t kept_leading = 0;
  float* weights = nullptr;
  std::int64_t weights_leading = 0;
  float* both = nullptr;            // M + V: M where a weight is kept, V where it is not
  float* moved = nullptr;           // penalty E (M - V - W0), then the steps
  const float* diagonal = nullptr;  // [columns], of H + D

  std::int64_t blocks() const { return (rows + tall - 1) / tall; }

  /// visit(row, column) for the block's rows, a lane with every size-th column.
  template <class Group, class Visit>
  MIQ_HOST_DEVICE void each(const Group& group, std::int64_t block, const Visit& visit) const {
    const auto end = (block + 1) * tall < rows ? (block + 1) * tall : rows;
    for (auto r = block * tall; r < end; ++r)
      for (std::int64_t c = group.rank(); c < columns; c += group.size()) visit(r, c);
  }
};

/// Sets integers to 0.
struct clear_words_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t each = 4096;
  std::int64_t* words = nullptr;
  std::int64_t count = 0;

  std::int64_t blocks() const { return (count + each - 1) / each; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto end = (block + 1) * each < count ? (block + 1) * each : count;
    for (auto k = block * each + group.rank(); k < end; k += group.size()) words[k] = 0;
  }
};

/// The upper triangle of H + D with dead columns independent of all others: what the penalty is added to. The rest is
/// not written.
struct damped_matrix_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tall = 4;

  const float* hessian = nullptr;  // [columns, columns]
  std::int64_t leading = 0;
  std::int64_t columns = 0;
  const float* diagonal = nullptr;
  float* damped = nullptr;  // [columns, columns]

  std::int64_t blocks() const { return (columns + tall - 1) / tall; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto dead = [&](std::int64_t c) { return hessian[c * (leading + 1)] == 0; };
    const auto end = (block + 1) * tall < columns ? (block + 1) * tall : columns;
    for (auto r = block * tall; r < end; ++r) {
      const bool alone = dead(r);
      for (auto c = r + group.rank(); c < columns; c += group.size())
        damped[r * columns + c] = c == r ? diagonal[r] : alone || dead(c) ? 0.0F : hessian[r * leading + c];
    }
  }
};

/// Columns in the order of their labels, those of a label in their own order; labels that are not 0 to columns - 1 are
/// counted. Each column counts those that come before it. Without labels, columns as they are.
struct group_members_body {
  static constexpr int lanes = 128;

  const std::int32_t* labels = nullptr;  // [columns] or null
  std::int64_t columns = 0;
  std::int64_t* members = nullptr;  // [columns]
  std::int64_t* invalid = nullptr;

  std::int64_t blocks() const { return (columns + lanes - 1) / lanes; }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto end = (block + 1) * lanes < columns ? (block + 1) * lanes : columns;
    for (auto c = block * lanes + group.rank(); c < end; c += group.size()) {
      auto place = c;
      if (labels != nullptr) {
        const auto mine = labels[c];
        place = 0;
        for (std::int64_t k = 0; k < columns; ++k) place += labels[k] < mine || (labels[k] == mine && k < c) ? 1 : 0;
        if (mine < 0 || mine >= columns) add_atomically(invalid, std::int64_t{1});
      }
      members[place] = c;
    }
  }
};

/// Where the groups begin among the members, and how many there are. One block.
struct group_begins_body {
  static constexpr int lanes = 256;

  const std::int32_t* labels = nullptr;  // [columns] or null: one group
  std::int64_t columns = 0;
  const std::int64_t* members = nullptr;
  std::int64_t* begins = nullptr;  // [groups + 1]
  std::int64_t* groups = nullptr;  // one

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte* scratch) const {
    auto* const slots = reinterpret_cast<std::int64_t*>(scratch);
    const auto each = (columns + group.size() - 1) / group.size();
    const auto first = group.rank() * each;
    const auto end = first + each < columns ? first + each : columns;
    const auto begin = [&](std::int64_t k) {
      return k == 0 || (labels != nullptr && labels[members[k]] != labels[members[k - 1]]);
    };
    std::int64_t mine = 0;
    for (auto k = first; k < end; ++k) mine += begin(k) ? 1 : 0;
    const auto all = exclusive_sum_over_lanes(group, mine, slots);
    auto at = slots[group.rank()];
    for (auto k = first; k < end; ++k)
      if (begin(k)) begins[at++] = k;
    if (group.rank() == 0) {
      begins[all] = columns;
      *groups = all;
    }
  }
};

/// Loads the mask and the weights to begin with.
struct search_load_body {
  static constexpr int lanes = 256;
  search_arrays a;

  std::int64_t blocks() const { return a.blocks(); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    a.each(group, block, [&](std::int64_t r, std::int64_t c) {
      const bool keeps = a.given[r * a.given_leading + c] != 0;
      a.kept[r * a.kept_leading + c] = keeps ? 1 : 0;
      float value = 0;
      if (keeps) value = a.start == nullptr ? a.target[r * a.target_leading + c] : a.start[r * a.start_leading + c];
      a.both[r * a.columns + c] = value;
    });
  }
};

/// V is in terms of the penalty: it changes by `share` when that does.
struct search_scale_body {
  static constexpr int lanes = 256;
  search_arrays a;
  float share = 1;

  std::int64_t blocks() const { return a.blocks(); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    a.each(group, block, [&](std::int64_t r, std::int64_t c) {
      if (a.kept[r * a.kept_leading + c] == 0) a.both[r * a.columns + c] *= share;
    });
  }
};

/// moved = penalty E (M - V - W0)
struct search_weigh_body {
  static constexpr int lanes = 256;
  search_arrays a;
  float penalty = 0;

  std::int64_t blocks() const { return a.blocks(); }
  std::int64_t scratch_bytes() const { return 0; }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    a.each(group, block, [&](std::int64_t r, std::int64_t c) {
      const float value = a.both[r * a.columns + c];
      const float z = a.kept[r * a.kept_leading + c] != 0 ? value : -value;
      a.moved[r * a.columns + c] = penalty * a.diagonal[c] * (z - a.target[r * a.target_leading + c]);
    });
  }
};

/// both = X + V, X being W0 and the steps; values that are not finite are counted.
struct search_advance_body {
  static constexpr int lanes = 256;
  search_arrays a;
  std::int64_t* overflown = nullptr;

  std::int64_t blocks() const { return a.blocks(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    std::int64_t here = 0;
    a.each(group, block, [&](std::int64_t r, std::int64_t c) {
      float& both = a.both[r * a.columns + c];
      const float v = a.kept[r * a.kept_leading + c] != 0 ? 0.0F : both;
      both = v + a.target[r * a.target_leading + c] + a.moved[r * a.columns + c];
      if (!is_finite_value(both)) ++here;
    });
    here = sum_over_lanes(group, here, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && here != 0) add_atomically(overflown, here);
  }
};

/// The weights, and how many are kept that were masked in the beginning.
struct search_finish_body {
  static constexpr int lanes = 256;
  search_arrays a;
  std::int64_t* changed = nullptr;

  std::int64_t blocks() const { return a.blocks(); }
  std::int64_t scratch_bytes() const { return lanes * static_cast<std::int64_t>(sizeof(std::int64_t)); }

  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte* scratch) const {
    std::int64_t here = 0;
    a.each(group, block, [&](std::int64_t r, std::int64_t c) {
      const bool keeps = a.kept[r * a.kept_leading + c] != 0;
      a.weights[r * a.weights_leading + c] = keeps ? a.both[r * a.columns + c] : 0.0F;
      if (keeps && a.given[r * a.given_leading + c] == 0) ++here;
    });
    here = sum_over_lanes(group, here, reinterpret_cast<std::int64_t*>(scratch));
    if (group.rank() == 0 && here != 0) add_atomically(changed, here);
  }
};

}  // namespace miq::obs::detail
