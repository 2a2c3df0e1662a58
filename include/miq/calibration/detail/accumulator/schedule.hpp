// What the accumulators on a device do, step by step, on a machine (core/detail/machine.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <miq/calibration/detail/accumulator/body.hpp>
#include <miq/core/detail/machine.hpp>
#include <miq/core/workspace.hpp>

namespace miq::calibration::detail {

/// Products of some columns with some columns, in panels of rows. The symmetric ones of a stream with itself keep, of
/// each panel, what lies right of its first column: the upper triangle and the lower halves of the squares on the
/// diagonal.
struct product_shape {
  static constexpr std::int64_t panel_rows = 512;

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool symmetric = false;

  struct panel_place {
    std::int64_t row = 0, rows = 0, column = 0, columns = 0;
    std::int64_t offset = 0;  // of its first element among all panels
  };

  std::int64_t panels() const { return (rows + panel_rows - 1) / panel_rows; }
  panel_place panel(std::int64_t k) const {
    const auto row = k * panel_rows, count = std::min(panel_rows, rows - row);
    if (!symmetric) return {row, count, 0, columns, row * columns};
    return {row, count, row, columns - row, panel_rows * (k * columns - panel_rows * (k * (k - 1) / 2))};
  }
  std::int64_t elements() const {
    const auto last = panel(panels() - 1);
    return last.offset + last.rows * last.columns;
  }
};

/// What an accumulator keeps of one stream.
struct stream_memory {
  std::int64_t columns = 0;
  float* tile = nullptr;  // [tile_tokens, columns], tokens of the incomplete tile
  column_sums strips;     // [tile_strips, columns]
  column_sums closed;     // [columns], over the closed tiles
};

/// What an accumulator keeps in device memory. One stream: its products with itself; two: of the first with the second.
struct moment_memory {
  product_shape shape;
  int streams = 1;
  stream_memory stream[2];
  double* totals = nullptr;  // panels, around the means of the closed tiles
  float* sample = nullptr;   // [sample_tokens, columns]
  std::int64_t* unusable = nullptr;

  const stream_memory& left() const { return stream[0]; }
  const stream_memory& right() const { return stream[streams - 1]; }
};

struct stream_scratch {
  float* centred = nullptr;  // [tile_tokens, columns]
  float* shift = nullptr;
  double* rest = nullptr;
  double* difference = nullptr;        // of the incomplete tile to the closed ones
  double* merge_difference = nullptr;  // of one accumulator to the other
  column_sums joined;
};

/// Scratch of one call.
struct moment_scratch {
  float* part = nullptr;    // one panel
  double* panel = nullptr;  // one panel
  int streams = 1;
  stream_scratch stream[2];

  const stream_scratch& left() const { return stream[0]; }
  const stream_scratch& right() const { return stream[streams - 1]; }
};

/// Carves arrays out of a block, or only measures, where there is none yet.
class carver {
 public:
  explicit carver(std::byte* base) : base_(reinterpret_cast<std::uintptr_t>(base)) {}
  template <class T>
  T* take(std::int64_t count) {
    return reinterpret_cast<T*>(base_ + static_cast<std::uintptr_t>(layout_.add<T>(count)));
  }
  column_sums take_sums(std::int64_t count, bool ranges) {
    column_sums sums;
    sums.sum = take<double>(count);
    if (!ranges) return sums;
    sums.absolute = take<double>(count);
    sums.minimum = take<float>(count);
    sums.maximum = take<float>(count);
    return sums;
  }
  const miq::detail::workspace_layout& layout() const { return layout_; }

 private:
  std::uintptr_t base_;
  miq::detail::workspace_layout layout_;
};

/// Lays out the memory of `accumulator` (`second` 0) or of `cross_moments`.
inline moment_memory lay_out_memory(carver& from, std::int64_t first, std::int64_t second, std::int64_t sample_tokens) {
  const bool cross = second > 0;
  moment_memory out;
  out.shape = {first, cross ? second : first, !cross};
  out.streams = cross ? 2 : 1;
  for (int s = 0; s < out.streams; ++s) {
    const auto columns = s == 0 ? first : second;
    out.stream[s].columns = columns;
    out.stream[s].tile = from.take<float>(tile_tokens * columns);
    out.stream[s].strips = from.take_sums(tile_strips * columns, !cross);
    out.stream[s].closed = from.take_sums(columns, !cross);
  }
  out.totals = from.take<double>(out.shape.elements());
  out.sample = from.take<float>(sample_tokens * first);
  out.unusable = from.take<std::int64_t>(1);
  return out;
}

inline moment_scratch lay_out_scratch(carver& from, std::int64_t first, std::int64_t second) {
  const bool cross = second > 0;
  const auto width = cross ? second : first;
  const auto rows = std::min(product_shape::panel_rows, first);
  moment_scratch out;
  out.part = from.take<float>(rows * width);
  out.panel = from.take<double>(rows * width);
  out.streams = cross ? 2 : 1;
  for (int s = 0; s < out.streams; ++s) {
    const auto columns = s == 0 ? first : second;
    auto& stream = out.stream[s];
    stream.centred = from.take<float>(tile_tokens * columns);
    stream.shift = from.take<float>(columns);
    stream.rest = from.take<double>(columns);
    stream.difference = from.take<double>(columns);
    stream.merge_difference = from.take<double>(columns);
    stream.joined = from.take_sums(columns, !cross);
  }
  return out;
}

/// Tokens that have been seen: known on the host, since it is the host that says what is added.
struct moment_counts {
  std::int64_t closed = 0;
  std::int64_t buffered = 0;
  std::int64_t tokens() const { return closed + buffered; }
};

/// Products of a tile, around its shifts: one panel into `scratch.part`.
template <class Machine>
void multiply_panel(const Machine& machine, const moment_memory& memory, const product_shape::panel_place& at,
                    std::int64_t tokens, const float* left, const float* right, float* out) {
  using miq::detail::operand;
  machine.multiply("accumulator: products", operand::transposed, operand::as_is, at.rows, at.columns, tokens, 1.0F,
                   left + at.row, memory.left().columns, right + at.column, memory.right().columns, 0.0F, out,
                   at.columns);
}

inline join_body<float> join_tile(const moment_counts& counts, const moment_memory& memory,
                                  const moment_scratch& scratch, const product_shape::panel_place& at, double* out) {
  const auto &left = scratch.left(), &right = scratch.right();
  join_body<float> body;
  body.rows = at.rows;
  body.columns = at.columns;
  body.base = counts.closed > 0 ? memory.totals + at.offset : nullptr;
  body.part = scratch.part;
  body.row_rest = left.rest + at.row;
  body.column_rest = right.rest + at.column;
  body.inverse_tokens = 1.0 / static_cast<double>(counts.buffered);
  body.row_difference = left.difference + at.row;
  body.column_difference = right.difference + at.column;
  body.weight = counts.closed > 0 ? join_weight(counts.closed, counts.buffered) : 0.0;
  body.out = out;
  return body;
}

/// Adds the tokens of the tile to the totals. The tile is centred where it lies: it is not needed afterwards.
template <class Machine>
void close_tile(const Machine& machine, moment_counts& counts, const moment_memory& memory,
                const moment_scratch& scratch) {
  for (int s = 0; s < memory.streams; ++s) {
    const auto& stream = memory.stream[s];
    const auto& own = scratch.stream[s];
    machine.launch("accumulator: column sums",
                   close_columns_body{stream.columns, counts.buffered, stream.strips, counts.closed, stream.closed,
                                      stream.closed, own.shift, own.rest, own.difference});
    machine.launch("accumulator: centring",
                   subtract_body{stream.tile, own.shift, counts.buffered, stream.columns, stream.tile});
  }
  for (std::int64_t k = 0; k < memory.shape.panels(); ++k) {
    const auto at = memory.shape.panel(k);
    multiply_panel(machine, memory, at, counts.buffered, memory.left().tile, memory.right().tile, scratch.part);
    machine.launch("accumulator: joining", join_tile(counts, memory, scratch, at, memory.totals + at.offset));
  }
  counts.closed += counts.buffered;
  counts.buffered = 0;
}

/// Everything that an accumulator has seen: its closed tiles joined with the incomplete one, which stays as it is.
template <class Machine>
class moments_of_all {
 public:
  moments_of_all(const Machine& machine, const moment_counts& counts, const moment_memory& memory,
                 const moment_scratch& scratch)
      : machine_(machine), counts_(counts), memory_(memory), scratch_(scratch) {
    if (counts.buffered == 0) return;
    for (int s = 0; s < memory.streams; ++s) {
      const auto& stream = memory.stream[s];
      const auto& own = scratch.stream[s];
      machine.launch("accumulator: column sums",
                     close_columns_body{stream.columns, counts.buffered, stream.strips, counts.closed, stream.closed,
                                        own.joined, own.shift, own.rest, own.difference});
      machine.launch("accumulator: centring",
                     subtract_body{stream.tile, own.shift, counts.buffered, stream.columns, own.centred});
    }
  }

  const column_sums& sums(int s) const {
    return counts_.buffered == 0 ? memory_.stream[s].closed : scratch_.stream[s].joined;
  }
  /// One panel of sum (x - mean)(y - mean)^T: the totals themselves, or made in `scratch.panel`.
  const double* panel(const product_shape::panel_place& at) const {
    if (counts_.buffered == 0) return memory_.totals + at.offset;
    multiply_panel(machine_, memory_, at, counts_.buffered, scratch_.left().centred, scratch_.right().centred,
                   scratch_.part);
    machine_.launch("accumulator: joining", join_tile(counts_, memory_, scratch_, at, scratch_.panel));
    return scratch_.panel;
  }

 private:
  const Machine& machine_;
  const moment_counts& counts_;
  const moment_memory& memory_;
  const moment_scratch& scratch_;
};

/// Adds what `other` has seen to an accumulator that has seen something.
template <class Machine>
void merge_moments(const Machine& machine, moment_counts& counts, const moment_memory& memory,
                   const moment_counts& other_counts, const moment_memory& other, const moment_scratch& scratch) {
  if (counts.buffered > 0) close_tile(machine, counts, memory, scratch);
  const moments_of_all<Machine> all(machine, other_counts, other, scratch);
  const auto n = counts.closed, m = other_counts.tokens();
  for (int s = 0; s < memory.streams; ++s)
    machine.launch("accumulator: merging sums", merge_columns_body{memory.stream[s].columns, n, memory.stream[s].closed,
                                                                   m, all.sums(s), scratch.stream[s].merge_difference});
  for (std::int64_t k = 0; k < memory.shape.panels(); ++k) {
    const auto at = memory.shape.panel(k);
    join_body<double> body;
    body.rows = at.rows;
    body.columns = at.columns;
    body.base = body.out = memory.totals + at.offset;
    body.part = all.panel(at);
    body.row_difference = scratch.left().merge_difference + at.row;
    body.column_difference = scratch.right().merge_difference + at.column;
    body.weight = join_weight(n, m);
    machine.launch("accumulator: merging", body);
  }
  counts.closed += m;
}

/// Copies rows of a matrix to rows of a sample; (row, row of the sample) in `rows`, every target once.
template <class T, class Machine>
void copy_rows(const Machine& machine, const T* from, std::int64_t from_leading, float* to, std::int64_t columns,
               const std::vector<std::pair<std::int64_t, std::int64_t>>& rows) {
  const auto size = static_cast<std::int64_t>(rows.size());
  for (std::int64_t first = 0; first < size; first += copy_rows_body<T>::most_rows) {
    copy_rows_body<T> body;
    body.from = from;
    body.from_leading = from_leading;
    body.to = to;
    body.to_leading = body.columns = columns;
    body.rows = std::min(copy_rows_body<T>::most_rows, size - first);
    for (std::int64_t k = 0; k < body.rows; ++k) {
      body.from_row[k] = rows[static_cast<std::size_t>(first + k)].first;
      body.to_row[k] = rows[static_cast<std::size_t>(first + k)].second;
    }
    machine.launch("accumulator: sample", body);
  }
}

/// The host's share of a sample: which tokens are in it depends on their places only, so no device is asked.
struct sample_counts {
  std::int64_t limit = 0;
  std::uint64_t seed = 0;
  std::vector<sampled_token> heap;

  /// (token of the batch, row of the sample) of those of `tokens` tokens from `first` on that are in the sample when
  /// all of them have been offered; every row once.
  std::vector<std::pair<std::int64_t, std::int64_t>> offer(std::int64_t first, std::int64_t tokens) {
    std::vector<std::pair<std::int64_t, std::int64_t>> placed;  // (row of the sample, token)
    for (std::int64_t t = 0; t < tokens && limit > 0; ++t)
      if (const auto slot = offer_token(heap, limit, seed, first + t); slot >= 0) placed.emplace_back(slot, t);
    std::sort(placed.begin(), placed.end());
    std::vector<std::pair<std::int64_t, std::int64_t>> rows;
    for (std::size_t k = 0; k < placed.size(); ++k)  // of several tokens in one row the last one stays
      if (k + 1 == placed.size() || placed[k + 1].first != placed[k].first)
        rows.emplace_back(placed[k].second, placed[k].first);
    return rows;
  }

  /// The sample of both: tokens of this one keep their rows. Returns (row of the other's sample, row of this one).
  /// @throws invalid_argument if a token is in both; nothing is changed then
  std::vector<std::pair<std::int64_t, std::int64_t>> merge(const sample_counts& other) {
    std::vector<std::pair<sampled_token, bool>> all;  // true: of the other
    for (const auto& token : heap) all.emplace_back(token, false);
    for (const auto& token : other.heap) all.emplace_back(token, true);
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    all.resize(std::min(all.size(), static_cast<std::size_t>(limit)));
    std::vector<std::uint8_t> taken(all.size());
    for (std::size_t k = 0; k < all.size(); ++k) {
      miq::detail::require(k == 0 || all[k].first.hash != all[k - 1].first.hash,
                           "accumulator::merge: both have seen token ", all[k].first.index,
                           " of the stream; give each part of the stream its own first_token");
      if (!all[k].second) taken[static_cast<std::size_t>(all[k].first.slot)] = 1;
    }
    std::vector<std::pair<std::int64_t, std::int64_t>> rows;
    heap.clear();
    std::size_t next = 0;
    for (auto& [token, from_other] : all) {
      if (from_other) {
        while (taken[next] != 0) ++next;
        rows.emplace_back(token.slot, static_cast<std::int64_t>(next));
        token.slot = static_cast<std::int64_t>(next++);
      }
      heap.push_back(token);
    }
    std::make_heap(heap.begin(), heap.end());
    return rows;
  }

  /// (row of the sample, place) with the places in the order of the tokens, and the tokens' indices.
  std::vector<std::pair<std::int64_t, std::int64_t>> in_order(std::vector<std::int64_t>& indices) const {
    auto order = heap;
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
    std::vector<std::pair<std::int64_t, std::int64_t>> rows;
    for (const auto& token : order) {
      rows.emplace_back(token.slot, static_cast<std::int64_t>(indices.size()));
      indices.push_back(token.index);
    }
    return rows;
  }
};

/// Takes in the tokens of a batch of one stream (`First` alone) or of two; closes every tile that they complete.
template <class First, class Second, class Machine>
void append_tokens(const Machine& machine, moment_counts& counts, const moment_memory& memory,
                   const moment_scratch& scratch, matrix_view<const First, typename Machine::memory_space> first,
                   matrix_view<const Second, typename Machine::memory_space> second, bool difference) {
  for (std::int64_t t = 0; t < first.rows();) {
    const auto count = std::min(tile_tokens - counts.buffered, first.rows() - t);
    const auto append = [&](auto body, const auto& batch, const stream_memory& stream) {
      body.batch = batch.data() + t * batch.leading();
      body.batch_leading = batch.leading();
      body.tokens = count;
      body.columns = stream.columns;
      body.begin = counts.buffered;
      body.tile = stream.tile;
      body.strips = stream.strips;
      body.unusable = memory.unusable;
      machine.launch("accumulator: appending", body);
    };
    append(append_body<First>{}, first, memory.stream[0]);
    if (memory.streams == 2) {
      append_body<Second, First> body;
      if (difference) {
        body.less = first.data() + t * first.leading();
        body.less_leading = first.leading();
      }
      append(body, second, memory.stream[1]);
    }
    counts.buffered += count;
    t += count;
    if (counts.buffered == tile_tokens) close_tile(machine, counts, memory, scratch);
  }
}

/// Covariance, means and ranges of everything seen.
template <class Machine>
void finish_statistics(const Machine& machine, const moment_counts& counts, const moment_memory& memory,
                       const moment_scratch& scratch, matrix_view<float, typename Machine::memory_space> covariance,
                       float* mean, float* mean_absolute, float* minimum, float* maximum) {
  const moments_of_all<Machine> all(machine, counts, memory, scratch);
  machine.launch("accumulator: means", finish_columns_body{memory.shape.rows, counts.tokens(), all.sums(0), mean,
                                                           mean_absolute, minimum, maximum});
  for (std::int64_t k = 0; k < memory.shape.panels(); ++k) {
    const auto at = memory.shape.panel(k);
    machine.launch("accumulator: covariance", covariance_body{at.row, at.rows, memory.shape.columns, all.panel(at),
                                                              static_cast<double>(counts.tokens()), minimum, maximum,
                                                              covariance.data(), covariance.leading()});
  }
}

/// Moments and means of everything seen of two streams.
template <class Machine>
void finish_moments(const Machine& machine, const moment_counts& counts, const moment_memory& memory,
                    const moment_scratch& scratch, matrix_view<float, typename Machine::memory_space> moment,
                    float* first_mean, float* second_mean) {
  const moments_of_all<Machine> all(machine, counts, memory, scratch);
  for (int s = 0; s < 2; ++s) {
    finish_columns_body body;
    body.columns = memory.stream[s].columns;
    body.tokens = counts.tokens();
    body.sums = all.sums(s);
    body.mean = s == 0 ? first_mean : second_mean;
    machine.launch("cross_moments: means", body);
  }
  for (std::int64_t k = 0; k < memory.shape.panels(); ++k) {
    const auto at = memory.shape.panel(k);
    machine.launch(
        "cross_moments: moments",
        moment_body{at.rows, at.columns, all.panel(at), static_cast<double>(counts.tokens()), all.sums(0).sum + at.row,
                    all.sums(1).sum, moment.data() + at.row * moment.leading(), moment.leading()});
  }
}

/// An accumulator, but for who owns its memory. Arguments have been checked.
struct accumulator_core {
  std::int64_t columns = 0;
  std::int64_t next_token = 0;
  sample_counts sample;
  moment_counts counts;
  moment_memory memory;

  template <class T, class Machine>
  void add(const Machine& machine, const moment_scratch& scratch,
           matrix_view<const T, typename Machine::memory_space> batch) {
    const auto rows = sample.offer(next_token, batch.rows());
    copy_rows(machine, batch.data(), batch.leading(), memory.sample, columns, rows);
    append_tokens<T, T>(machine, counts, memory, scratch, batch, {}, false);
    next_token += batch.rows();
  }

  /// `bytes` of memory from `base` on belong to this one, as many from `other_base` on to the other.
  template <class Machine>
  void merge(const Machine& machine, const moment_scratch& scratch, const accumulator_core& other, std::byte* base,
             const std::byte* other_base, std::int64_t bytes) {
    using miq::detail::require;
    require(other.columns == columns, "accumulator::merge: other must have ", columns, " columns, got ", other.columns);
    require(other.sample.limit == sample.limit, "accumulator::merge: other must have sample_tokens ", sample.limit,
            ", got ", other.sample.limit);
    require(sample.limit == 0 || other.sample.seed == sample.seed, "accumulator::merge: other must have seed ",
            sample.seed, ", got ", other.sample.seed);
    require(this != &other, "accumulator::merge: other must not be the accumulator itself");
    if (other.counts.tokens() == 0) return;
    require(other.counts.tokens() <= max_token - counts.tokens(),
            "accumulator::merge: the stream must not be longer than 2^62 tokens");
    if (counts.tokens() == 0) {
      machine.copy(other_base, bytes, base);
      sample = other.sample;
      counts = other.counts;
      next_token = other.next_token;
      return;
    }
    const auto rows = sample.merge(other.sample);
    copy_rows(machine, static_cast<const float*>(other.memory.sample), columns, memory.sample, columns, rows);
    merge_moments(machine, counts, memory, other.counts, other.memory, scratch);
    machine.launch("accumulator: merging", add_count_body{other.memory.unusable, memory.unusable});
    next_token = std::max(next_token, other.next_token);
  }
};

/// The same of two streams.
struct cross_core {
  bool difference = false;
  moment_counts counts;
  moment_memory memory;

  template <class Machine>
  void merge(const Machine& machine, const moment_scratch& scratch, const cross_core& other, std::byte* base,
             const std::byte* other_base, std::int64_t bytes) {
    using miq::detail::require;
    using miq::detail::shape_text;
    const auto &mine = memory.shape, &others = other.memory.shape;
    require(others.rows == mine.rows && others.columns == mine.columns,
            "cross_moments::merge: other must have columns ", shape_text(mine.rows, mine.columns), ", got ",
            shape_text(others.rows, others.columns));
    require(other.difference == difference, "cross_moments::merge: other must have difference ", difference, ", got ",
            other.difference);
    require(this != &other, "cross_moments::merge: other must not be the accumulator itself");
    if (other.counts.tokens() == 0) return;
    require(other.counts.tokens() <= max_token - counts.tokens(),
            "cross_moments::merge: the stream must not be longer than 2^62 tokens");
    if (counts.tokens() == 0) {
      machine.copy(other_base, bytes, base);
      counts = other.counts;
      return;
    }
    merge_moments(machine, counts, memory, other.counts, other.memory, scratch);
    machine.launch("cross_moments: merging", add_count_body{other.memory.unusable, memory.unusable});
  }
};

}  // namespace miq::calibration::detail
