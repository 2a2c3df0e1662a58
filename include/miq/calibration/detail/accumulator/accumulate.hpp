// What an accumulator does on the host: takes in batches, closes tiles, merges, finishes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include <miq/calibration/accumulator_options.hpp>
#include <miq/calibration/detail/accumulator/checks.hpp>
#include <miq/calibration/detail/accumulator/state.hpp>
#include <miq/calibration/detail/accumulator/tile.hpp>
#include <miq/calibration/statistics.hpp>
#include <miq/calibration/token_sample.hpp>

namespace miq::calibration {
namespace detail {

/// Throws if a value is NaN, infinite or too large. Reads the batch once, all threads.
template <on_host Exec>
void require_usable(const Exec& exec, const char* function, matrix_view<const float> batch) {
  const auto columns = batch.columns();
  const auto chunk = std::max<std::int64_t>(1, 32768 / columns);
  // The executor passes on the exception of the first chunk that throws, so the first bad token is named.
  exec.parallel_for((batch.rows() + chunk - 1) / chunk, [&](std::int64_t index) {
    for (std::int64_t t = index * chunk; t < std::min(batch.rows(), (index + 1) * chunk); ++t) {
      const float* const row = &batch(t, 0);
      miq::detail::int_lanes bad{};
      std::int64_t c = 0;
      for (; c + lanes <= columns; c += lanes)
        bad |= ~(miq::detail::absolute(miq::detail::load<float_lanes>(row + c)) <= max_magnitude);
      if (c < columns)
        bad |= ~(miq::detail::absolute(miq::detail::load_first<float_lanes>(row + c, columns - c)) <= max_magnitude);
      if (!miq::detail::any(bad)) continue;
      for (c = 0; std::abs(row[c]) <= max_magnitude;) ++c;
      require(false, function, ": batch must hold finite values up to 2^58 in magnitude, got ", row[c], " at token ", t,
              " of the batch, column ", c);
    }
  });
}

/// Makes room for `size` elements, at least doubling, at most `limit`.
template <class Vector>
void reserve_more(Vector& v, std::int64_t size, std::int64_t limit) {
  const auto capacity = static_cast<std::int64_t>(v.capacity());
  if (size > capacity) v.reserve(static_cast<std::size_t>(std::min(limit, std::max(size, 2 * capacity))));
}

/// The same, and as many elements at least.
template <class Vector>
void grow(Vector& v, std::int64_t size, std::int64_t limit) {
  reserve_more(v, size, limit);
  if (size > static_cast<std::int64_t>(v.size())) v.resize(static_cast<std::size_t>(size));
}

inline void copy_row(const float* from, std::int64_t columns, float* to) {
  std::memcpy(to, from, static_cast<std::size_t>(columns) * sizeof(float));
}

/// Adds a complete or closed tile to totals that have memory. Does not throw.
template <on_host Exec>
void close_tile(const Exec& exec, totals& into, const tile& part, std::int64_t columns,
                matrix_view<double> difference) {
  const auto n = into.tokens, m = part.tokens();
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto s = static_cast<std::size_t>(c);
    if (n == 0) {
      into.sum[s] = part.sum(c);
      into.absolute[s] = part.absolute(c);
      into.minimum[s] = part.minimum(c);
      into.maximum[s] = part.maximum(c);
    } else {
      difference(0, c) = mean_difference(part.sum(c), m, into.sum[s], n);
      into.sum[s] += part.sum(c);
      into.absolute[s] += part.absolute(c);
      into.minimum[s] = std::min(into.minimum[s], part.minimum(c));
      into.maximum[s] = std::max(into.maximum[s], part.maximum(c));
    }
  }
  const auto blocks = blocks_of(columns);
  exec.parallel_for(upper_blocks_of(blocks), [&](std::int64_t place) {
    const auto [row, column] = upper_block_at(place, blocks);
    if (n == 0) return part.products(row, column, into.block(place));
    alignas(64) double scratch[block_columns * block_columns];
    part.products(row, column, scratch);
    join_products(into.block(place), scratch, &difference(0, row * block_columns),
                  &difference(0, column * block_columns), join_weight(n, m));
  });
  into.tokens += m;
}

/// Scratch of one call: a tile and the differences of two means, padded with zeros to whole blocks.
struct tile_scratch {
  tile_scratch(std::int64_t columns, std::int64_t capacity, std::pmr::memory_resource* resource)
      : part(columns, capacity, resource), difference(1, blocks_of(columns) * block_columns, resource) {}
  tile part;
  matrix<double> difference;
};

/// Sums and centred products of everything that an accumulator has seen: its closed tiles joined with the incomplete
/// one.
class whole {
 public:
  whole(const host_executor& exec, const accumulator_state& state) : state_(state) {
    if (state.buffered == 0) return;
    open_.emplace(state.columns, state.buffered, exec.resource());
    open_->part.prepare(exec, state.buffered_rows());
    if (state.closed.tokens == 0) return;
    for (std::int64_t c = 0; c < state.columns; ++c)
      open_->difference(0, c) = mean_difference(open_->part.sum(c), state.buffered,
                                                state.closed.sum[static_cast<std::size_t>(c)], state.closed.tokens);
  }

  double sum(std::int64_t c) const { return closed(state_.closed.sum, c) + (open_ ? open_->part.sum(c) : 0.0); }
  double absolute(std::int64_t c) const {
    return closed(state_.closed.absolute, c) + (open_ ? open_->part.absolute(c) : 0.0);
  }
  float minimum(std::int64_t c) const {
    if (!open_) return closed(state_.closed.minimum, c);
    return any_closed() ? std::min(closed(state_.closed.minimum, c), open_->part.minimum(c)) : open_->part.minimum(c);
  }
  float maximum(std::int64_t c) const {
    if (!open_) return closed(state_.closed.maximum, c);
    return any_closed() ? std::max(closed(state_.closed.maximum, c), open_->part.maximum(c)) : open_->part.maximum(c);
  }

  /// One block of sum (x - mean)(x - mean)^T.
  void products(std::int64_t place, block_position at, double* out) const {
    if (any_closed())
      std::copy_n(state_.closed.block(place), block_columns * block_columns, out);
    else
      return open_->part.products(at.row, at.column, out);
    if (!open_) return;
    alignas(64) double scratch[block_columns * block_columns];
    open_->part.products(at.row, at.column, scratch);
    join_products(out, scratch, &open_->difference(0, at.row * block_columns),
                  &open_->difference(0, at.column * block_columns), join_weight(state_.closed.tokens, state_.buffered));
  }

 private:
  bool any_closed() const { return state_.closed.tokens > 0; }
  template <class T>
  T closed(const std::pmr::vector<T>& v, std::int64_t c) const {
    return any_closed() ? v[static_cast<std::size_t>(c)] : T{};
  }

  const accumulator_state& state_;
  std::optional<tile_scratch> open_;
};

/// Puts a batch's tokens into the sample; memory has been made. Does not throw.
inline void sample_batch(accumulator_state& state, matrix_view<const float> batch) {
  for (std::int64_t t = 0; t < batch.rows(); ++t) {
    const auto slot = offer_token(state.heap, state.sample_tokens, state.seed, state.next_token + t);
    if (slot >= 0) copy_row(&batch(t, 0), state.columns, state.sample_rows.data() + slot * state.columns);
  }
}

template <on_host Exec>
void add_on(const Exec& exec, accumulator_state& state, matrix_view<const float> batch) {
  const auto columns = state.columns;
  require(batch.columns() == columns, "accumulator::add: batch must be ", shape_text("tokens", columns), ", got ",
          shape_text(batch.rows(), batch.columns()));
  if (batch.rows() == 0) return;
  require(batch.rows() <= max_token - state.next_token,
          "accumulator::add: the stream must not be longer than 2^62 tokens");
  require_usable(exec, "accumulator::add", batch);

  // Everything that may throw comes before anything that changes what was seen.
  const auto seen = state.buffered + batch.rows();
  const bool completes = seen >= tile_tokens;
  std::optional<tile_scratch> scratch;
  if (completes) {
    scratch.emplace(columns, tile_tokens, exec.resource());
    state.closed.allocate(columns, state.resource);
  }
  const auto waiting = !completes ? seen : state.buffered > 0 ? tile_tokens : seen % tile_tokens;
  grow(state.buffer, waiting * columns, tile_tokens * columns);
  if (state.sample_tokens > 0) {
    const auto sampled = std::min(state.sample_tokens, static_cast<std::int64_t>(state.heap.size()) + batch.rows());
    reserve_more(state.heap, sampled, state.sample_tokens);
    grow(state.sample_rows, sampled * columns, state.sample_tokens * columns);
    sample_batch(state, batch);
  }

  std::int64_t t = 0;
  while (t < batch.rows()) {
    if (state.buffered == 0 && batch.rows() - t >= tile_tokens) {  // a whole tile, from where it lies
      scratch->part.prepare(exec, batch.rows_from(t, tile_tokens));
      close_tile(exec, state.closed, scratch->part, columns, scratch->difference);
      t += tile_tokens;
      continue;
    }
    const auto count = std::min(tile_tokens - state.buffered, batch.rows() - t);
    for (std::int64_t k = 0; k < count; ++k)
      copy_row(&batch(t + k, 0), columns, state.buffer.data() + (state.buffered + k) * columns);
    state.buffered += count;
    t += count;
    if (state.buffered < tile_tokens) continue;
    scratch->part.prepare(exec, state.buffered_rows());
    close_tile(exec, state.closed, scratch->part, columns, scratch->difference);
    state.buffered = 0;
  }
  state.next_token += batch.rows();
}

/// The sample of both streams together.
inline void merge_samples(const accumulator_state& a, const accumulator_state& b, std::pmr::vector<sampled_token>& heap,
                          std::pmr::vector<float>& rows) {
  std::pmr::vector<std::pair<sampled_token, const float*>> all(heap.get_allocator().resource());
  for (const auto* state : {&a, &b})
    for (const auto& token : state->heap) all.emplace_back(token, state->sample_rows.data() + token.slot * a.columns);
  std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  const auto size = std::min(a.sample_tokens, static_cast<std::int64_t>(all.size()));
  rows.resize(static_cast<std::size_t>(size * a.columns));
  for (std::int64_t i = 0; i < size; ++i) {
    const auto& [token, row] = all[static_cast<std::size_t>(i)];
    require(i == 0 || token.hash != heap.back().hash, "accumulator::merge: both have seen token ", token.index,
            " of the stream; give each part of the stream its own first_token");
    heap.push_back({token.hash, token.index, i});
    copy_row(row, a.columns, rows.data() + i * a.columns);
  }
  std::make_heap(heap.begin(), heap.end());
}

template <on_host Exec>
void merge_on(const Exec& exec, accumulator_state& into, const accumulator_state& other) {
  const auto columns = into.columns;
  require(other.columns == columns, "accumulator::merge: other must have ", columns, " columns, got ", other.columns);
  require(other.sample_tokens == into.sample_tokens, "accumulator::merge: other must have sample_tokens ",
          into.sample_tokens, ", got ", other.sample_tokens);
  require(into.sample_tokens == 0 || other.seed == into.seed, "accumulator::merge: other must have seed ", into.seed,
          ", got ", other.seed);
  require(&into != &other, "accumulator::merge: other must not be the accumulator itself");
  if (other.tokens() == 0) return;
  require(other.tokens() <= max_token - into.tokens(),
          "accumulator::merge: the stream must not be longer than 2^62 tokens");
  if (into.tokens() == 0) {
    into = accumulator_state(other, into.resource);
    return;
  }

  std::pmr::vector<sampled_token> heap(into.resource);
  std::pmr::vector<float> rows(into.resource);
  if (into.sample_tokens > 0) merge_samples(into, other, heap, rows);
  const whole all(exec, other);
  tile_scratch scratch(columns, std::max<std::int64_t>(1, into.buffered), exec.resource());
  into.closed.allocate(columns, into.resource);

  if (into.buffered > 0) {
    scratch.part.prepare(exec, into.buffered_rows());
    close_tile(exec, into.closed, scratch.part, columns, scratch.difference);
    into.buffered = 0;
  }
  auto& closed = into.closed;
  const auto n = closed.tokens, m = other.tokens();
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto s = static_cast<std::size_t>(c);
    scratch.difference(0, c) = mean_difference(all.sum(c), m, closed.sum[s], n);
    closed.sum[s] += all.sum(c);
    closed.absolute[s] += all.absolute(c);
    closed.minimum[s] = std::min(closed.minimum[s], all.minimum(c));
    closed.maximum[s] = std::max(closed.maximum[s], all.maximum(c));
  }
  const auto blocks = blocks_of(columns);
  exec.parallel_for(upper_blocks_of(blocks), [&](std::int64_t place) {
    const auto at = upper_block_at(place, blocks);
    alignas(64) double part[block_columns * block_columns];
    all.products(place, at, part);
    join_products(closed.block(place), part, &scratch.difference(0, at.row * block_columns),
                  &scratch.difference(0, at.column * block_columns), join_weight(n, m));
  });
  closed.tokens += m;
  if (into.sample_tokens > 0) {
    into.heap.swap(heap);
    into.sample_rows.swap(rows);
  }
  into.next_token = std::max(into.next_token, other.next_token);
}

/// The covariance goes to `covariance` [c, c]; the rest is returned.
template <on_host Exec>
statistics finish_into(const Exec& exec, const accumulator_state& state, matrix_view<float> covariance) {
  require(state.tokens() > 0, "accumulator::finish: at least 1 token must have been added, got 0");
  const auto columns = state.columns;
  const auto n = static_cast<double>(state.tokens());
  const whole all(exec, state);
  statistics out;
  out.tokens = state.tokens();
  for (std::int64_t c = 0; c < columns; ++c) {
    const bool constant = all.minimum(c) == all.maximum(c);
    out.minimum.push_back(all.minimum(c));
    out.maximum.push_back(all.maximum(c));
    out.mean.push_back(constant ? all.minimum(c) : static_cast<float>(all.sum(c) / n));
    out.mean_absolute.push_back(constant ? std::abs(all.minimum(c)) : static_cast<float>(all.absolute(c) / n));
  }
  const auto blocks = blocks_of(columns);
  exec.parallel_for(upper_blocks_of(blocks), [&](std::int64_t place) {
    const auto at = upper_block_at(place, blocks);
    alignas(64) double products[block_columns * block_columns];
    all.products(place, at, products);
    alignas(64) float block[block_columns * block_columns];
    for (std::int64_t k = 0; k < block_columns * block_columns; ++k) block[k] = static_cast<float>(products[k] / n);
    const auto row = at.row * block_columns, column = at.column * block_columns;
    const auto row_count = std::min(block_columns, columns - row);
    const auto column_count = std::min(block_columns, columns - column);
    for (std::int64_t i = 0; i < row_count; ++i)
      if (out.is_constant(row + i)) std::fill_n(block + i * block_columns, block_columns, 0.0F);
    for (std::int64_t j = 0; j < column_count; ++j)
      if (out.is_constant(column + j))
        for (std::int64_t i = 0; i < row_count; ++i) block[i * block_columns + j] = 0.0F;
    if (at.row == at.column)
      for (std::int64_t i = 0; i < row_count; ++i) {
        block[i * block_columns + i] = std::max(block[i * block_columns + i], 0.0F);
        for (std::int64_t j = 0; j < i; ++j) block[i * block_columns + j] = block[j * block_columns + i];
      }
    else
      for (std::int64_t j = 0; j < column_count; ++j)
        for (std::int64_t i = 0; i < row_count; ++i) covariance(column + j, row + i) = block[i * block_columns + j];
    for (std::int64_t i = 0; i < row_count; ++i)
      copy_row(block + i * block_columns, column_count, &covariance(row + i, column));
  });
  return out;
}

template <on_host Exec>
statistics finish_on(const Exec& exec, const accumulator_state& state) {
  matrix<float> covariance(state.columns, state.columns);
  auto out = finish_into(exec, state, covariance);
  out.covariance = std::move(covariance);
  return out;
}

inline token_sample sample_of(const accumulator_state& state) {
  std::vector<sampled_token> order(state.heap.begin(), state.heap.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  token_sample out;
  out.tokens = matrix<float>(static_cast<std::int64_t>(order.size()), state.columns);
  for (const auto& token : order) {
    copy_row(state.sample_rows.data() + token.slot * state.columns, state.columns,
             out.tokens.data() + static_cast<std::int64_t>(out.indices.size()) * state.columns);
    out.indices.push_back(token.index);
  }
  return out;
}

}  // namespace detail
}  // namespace miq::calibration
