#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include <miq/calibration/cross_moments.hpp>
#include <miq/calibration/detail/accumulator/checks.hpp>
#include <miq/calibration/detail/accumulator/tile.hpp>

namespace miq::calibration {
namespace detail {

/// Tokens of both streams as tiles, and room for the differences of means.
class cross_tile {
 public:
  cross_tile(const cross_state& state, std::int64_t capacity, std::pmr::memory_resource* resource)
      : first_(state.first.columns, capacity, resource),
        second_(state.second.columns, capacity, resource),
        row_difference_(1, blocks_of(state.first.columns) * block_columns, resource),
        column_difference_(1, blocks_of(state.second.columns) * block_columns, resource) {}

  /// Takes in the tokens that wait in `state`.
  void prepare(const host_executor& exec, const cross_state& state) {
    first_.prepare(exec, {state.first.buffer.data(), state.buffered, state.first.columns});
    second_.prepare(exec, {state.second.buffer.data(), state.buffered, state.second.columns});
  }
  /// Notes by how much the means differ from those of the closed tiles of `state`.
  void compare(const cross_state& state) {
    const auto compare = [&](const tile& part, const cross_stream& stream, matrix<double>& out) {
      for (std::int64_t c = 0; c < stream.columns; ++c)
        out(0, c) = mean_difference(part.sum(c), part.tokens(), stream.sum[static_cast<std::size_t>(c)], state.closed);
    };
    compare(first_, state.first, row_difference_);
    compare(second_, state.second, column_difference_);
  }

  std::int64_t tokens() const { return first_.tokens(); }
  double first_sum(std::int64_t c) const { return first_.sum(c); }
  double second_sum(std::int64_t c) const { return second_.sum(c); }
  void products(std::int64_t row, std::int64_t column, double* out) const {
    first_.cross_products(second_, row, column, out);
  }
  /// Joins a block of these products to one of `closed` tokens.
  void join(std::int64_t row, std::int64_t column, std::int64_t closed, double* into) const {
    alignas(64) double scratch[block_columns * block_columns];
    products(row, column, scratch);
    join_products(into, scratch, &row_difference_(0, row * block_columns),
                  &column_difference_(0, column * block_columns), join_weight(closed, tokens()));
  }

 private:
  tile first_, second_;
  matrix<double> row_difference_, column_difference_;
};

/// Adds the incomplete tile to totals that have memory. Does not throw.
template <on_host Exec>
void close_cross_tile(const Exec& exec, cross_state& state, cross_tile& part) {
  part.prepare(exec, state);
  if (state.closed > 0) part.compare(state);
  const auto across = blocks_of(state.second.columns);
  exec.parallel_for(state.blocks(), [&](std::int64_t place) {
    if (state.closed == 0)
      part.products(place / across, place % across, state.block(place));
    else
      part.join(place / across, place % across, state.closed, state.block(place));
  });
  const bool empty = state.closed == 0;
  for (std::int64_t c = 0; c < state.first.columns; ++c) {
    auto& sum = state.first.sum[static_cast<std::size_t>(c)];
    sum = empty ? part.first_sum(c) : sum + part.first_sum(c);
  }
  for (std::int64_t c = 0; c < state.second.columns; ++c) {
    auto& sum = state.second.sum[static_cast<std::size_t>(c)];
    sum = empty ? part.second_sum(c) : sum + part.second_sum(c);
  }
  state.closed += part.tokens();
  state.buffered = 0;
}

/// Everything that `state` has seen: its closed tiles joined with the incomplete one.
class cross_whole {
 public:
  cross_whole(const host_executor& exec, const cross_state& state) : state_(state) {
    if (state.buffered == 0) return;
    open_.emplace(state, state.buffered, exec.resource());
    open_->prepare(exec, state);
    if (state.closed > 0) open_->compare(state);
  }

  double first_sum(std::int64_t c) const { return closed(state_.first, c) + (open_ ? open_->first_sum(c) : 0.0); }
  double second_sum(std::int64_t c) const { return closed(state_.second, c) + (open_ ? open_->second_sum(c) : 0.0); }
  void products(std::int64_t place, double* out) const {
    const auto across = blocks_of(state_.second.columns);
    if (state_.closed == 0) return open_->products(place / across, place % across, out);
    std::copy_n(state_.block(place), block_columns * block_columns, out);
    if (open_) open_->join(place / across, place % across, state_.closed, out);
  }

 private:
  double closed(const cross_stream& stream, std::int64_t c) const {
    return state_.closed > 0 ? stream.sum[static_cast<std::size_t>(c)] : 0.0;
  }

  const cross_state& state_;
  std::optional<cross_tile> open_;
};

template <class T>
void require_usable_stream(const host_executor& exec, const char* name, matrix_view<const T> batch) {
  constexpr std::int64_t chunk = 16;
  exec.parallel_for((batch.rows() + chunk - 1) / chunk, [&](std::int64_t task) {
    for (auto t = task * chunk; t < std::min(batch.rows(), (task + 1) * chunk); ++t)
      for (std::int64_t c = 0; c < batch.columns(); ++c) {
        const auto value = static_cast<float>(batch(t, c));
        if (std::abs(value) <= max_magnitude) continue;
        miq::detail::require(false, "cross_moments::add: ", name,
                             " must hold finite values up to 2^58 in magnitude, got ", value, " at token ", t,
                             " of the batch, column ", c);
      }
  });
}

template <class First, class Second>
void add_cross_on(const host_executor& exec, cross_state& state, matrix_view<const First> first,
                  matrix_view<const Second> second) {
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto a = state.first.columns, b = state.second.columns;
  require(first.columns() == a, "cross_moments::add: first must be ", shape_text("tokens", a), ", got ",
          shape_text(first.rows(), first.columns()));
  require(second.columns() == b && second.rows() == first.rows(), "cross_moments::add: second must be ",
          shape_text(first.rows(), b), ", got ", shape_text(second.rows(), second.columns()));
  const auto batch = first.rows();
  if (batch == 0) return;
  require(batch <= max_token - state.tokens(), "cross_moments::add: the stream must not be longer than 2^62 tokens");
  require_usable_stream(exec, "first", first);
  require_usable_stream(exec, "second", second);

  // Everything that may throw comes before anything that changes what was seen.
  std::optional<cross_tile> scratch;
  if (state.buffered + batch >= tile_tokens) {
    scratch.emplace(state, tile_tokens, exec.resource());
    state.allocate();
  }
  const auto waiting = std::min(tile_tokens, state.buffered + batch);
  for (auto* stream : {&state.first, &state.second}) {
    const auto size = static_cast<std::size_t>(waiting * stream->columns);
    if (stream->buffer.size() < size) stream->buffer.resize(size);
  }

  for (std::int64_t t = 0; t < batch;) {
    const auto count = std::min(tile_tokens - state.buffered, batch - t);
    exec.parallel_for((count + 15) / 16, [&](std::int64_t task) {
      for (auto k = task * 16; k < std::min(count, (task + 1) * 16); ++k) {
        float* const x = state.first.buffer.data() + (state.buffered + k) * a;
        float* const y = state.second.buffer.data() + (state.buffered + k) * b;
        for (std::int64_t c = 0; c < a; ++c) x[c] = static_cast<float>(first(t + k, c));
        for (std::int64_t c = 0; c < b; ++c) y[c] = static_cast<float>(second(t + k, c));
        if (state.difference)
          for (std::int64_t c = 0; c < b; ++c) y[c] -= x[c];
      }
    });
    state.buffered += count;
    t += count;
    if (state.buffered == tile_tokens) close_cross_tile(exec, state, *scratch);
  }
}

template <on_host Exec>
void merge_cross_on(const Exec& exec, cross_state& into, const cross_state& other) {
  using miq::detail::require;
  using miq::detail::shape_text;
  require(other.first.columns == into.first.columns && other.second.columns == into.second.columns,
          "cross_moments::merge: other must have columns ", shape_text(into.first.columns, into.second.columns),
          ", got ", shape_text(other.first.columns, other.second.columns));
  require(other.difference == into.difference, "cross_moments::merge: other must have difference ", into.difference,
          ", got ", other.difference);
  require(&into != &other, "cross_moments::merge: other must not be the accumulator itself");
  if (other.tokens() == 0) return;
  require(other.tokens() <= max_token - into.tokens(),
          "cross_moments::merge: the stream must not be longer than 2^62 tokens");
  const cross_whole all(exec, other);
  std::optional<cross_tile> scratch;
  if (into.buffered > 0) scratch.emplace(into, into.buffered, exec.resource());
  matrix<double> rows(1, blocks_of(into.first.columns) * block_columns, exec.resource());
  matrix<double> columns(1, blocks_of(into.second.columns) * block_columns, exec.resource());
  into.allocate();

  if (scratch) close_cross_tile(exec, into, *scratch);
  const auto n = into.closed, m = other.tokens();
  const auto join = [&](cross_stream& stream, matrix<double>& difference, const auto& sum) {
    for (std::int64_t c = 0; c < stream.columns; ++c) {
      auto& mine = stream.sum[static_cast<std::size_t>(c)];
      if (n > 0) difference(0, c) = mean_difference(sum(c), m, mine, n);
      mine = n > 0 ? mine + sum(c) : sum(c);
    }
  };
  join(into.first, rows, [&](std::int64_t c) { return all.first_sum(c); });
  join(into.second, columns, [&](std::int64_t c) { return all.second_sum(c); });
  const auto across = blocks_of(into.second.columns);
  exec.parallel_for(into.blocks(), [&](std::int64_t place) {
    if (n == 0) return all.products(place, into.block(place));
    alignas(64) double part[block_columns * block_columns];
    all.products(place, part);
    join_products(into.block(place), part, &rows(0, place / across * block_columns),
                  &columns(0, place % across * block_columns), join_weight(n, m));
  });
  into.closed += m;
}

template <on_host Exec>
cross_statistics finish_cross_on(const Exec& exec, const cross_state& state) {
  miq::detail::require(state.tokens() > 0, "cross_moments::finish: at least 1 token must have been added, got 0");
  const auto a = state.first.columns, b = state.second.columns;
  const auto n = static_cast<double>(state.tokens());
  const cross_whole all(exec, state);
  cross_statistics out;
  out.tokens = state.tokens();
  out.moment = matrix<float>(a, b);
  for (std::int64_t c = 0; c < a; ++c) out.first_mean.push_back(static_cast<float>(all.first_sum(c) / n));
  for (std::int64_t c = 0; c < b; ++c) out.second_mean.push_back(static_cast<float>(all.second_sum(c) / n));
  const auto across = blocks_of(b);
  exec.parallel_for(state.blocks(), [&](std::int64_t place) {
    alignas(64) double block[block_columns * block_columns];
    all.products(place, block);
    const auto row = place / across * block_columns, column = place % across * block_columns;
    for (std::int64_t i = 0; i < std::min(block_columns, a - row); ++i) {
      const double mean = all.first_sum(row + i) / n;
      for (std::int64_t j = 0; j < std::min(block_columns, b - column); ++j)
        out.moment(row + i, column + j) =
            static_cast<float>(2.0 * (block[i * block_columns + j] / n + mean * (all.second_sum(column + j) / n)));
    }
  });
  return out;
}

}  // namespace detail

MIQ_API cross_moments::cross_moments(std::int64_t first_columns, std::int64_t second_columns,
                                     const cross_moments_options& options, std::pmr::memory_resource* resource)
    : state_(resource) {
  detail::require_cross_moments("cross_moments", first_columns, second_columns, options);
  state_.first.columns = first_columns;
  state_.second.columns = second_columns;
  state_.difference = options.difference;
}

template <executor Exec>
void cross_moments::add(const Exec& exec, matrix_view<const float, memory_of<Exec>> first,
                        matrix_view<const float, memory_of<Exec>> second) {
  detail::add_cross_on(exec, state_, first, second);
}

template <executor Exec, activation First, activation Second>
void cross_moments::add(const Exec& exec, matrix_view<const First, memory_of<Exec>> first,
                        matrix_view<const Second, memory_of<Exec>> second) {
  detail::add_cross_on(exec, state_, first, second);
}

template <executor Exec>
void cross_moments::merge(const Exec& exec, const cross_moments& other) {
  detail::merge_cross_on(exec, state_, other.state_);
}

template <executor Exec>
cross_statistics cross_moments::finish(const Exec& exec) const {
  return detail::finish_cross_on(exec, state_);
}

}  // namespace miq::calibration
