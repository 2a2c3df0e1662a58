// Agglomerative clustering by chains of nearest neighbours, on a matrix that is read row by row only.
//
// Merging clusters x and y changes a row and a column. Writing the column at once would touch a cache line in every
// row. Instead new clusters get columns ("slots") of their own, one beside the other; the columns of `batch` merges are
// written together, a cache line a row, and until then a row that is read fetches the few entries it lacks from the
// rows of the new clusters. Slots of merged clusters are skipped by a mask; when they become many, rows are compacted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <vector>

#include <miq/core/detail/vector_lanes.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Two clusters, by their indices: those of their largest members. The cluster of both keeps the index `second`.
struct chain_merge {
  std::int32_t first, second;
  double height;
};

namespace chain {

using miq::detail::double_lanes;
using miq::detail::lanes;
using miq::detail::wide_lanes;

template <class T>
struct row_lanes;
template <>
struct row_lanes<float> {
  using type = miq::detail::float_lanes;
};
template <>
struct row_lanes<double> {
  using type = wide_lanes;
};

inline wide_lanes load_wide(const double* from) { return miq::detail::load<wide_lanes>(from); }
inline wide_lanes load_wide(const float* from) {
  return miq::detail::widen(miq::detail::load<miq::detail::half_float_lanes>(from));
}
inline void store_wide(double* to, wide_lanes v) { miq::detail::store(to, v); }
inline void store_wide(float* to, wide_lanes v) { miq::detail::store(to, miq::detail::narrow(v)); }

/// The distance of the union of two clusters to others, by Lance & Williams. Never below the smaller of the two, which
/// is what chains of nearest neighbours rest on.
struct complete_update {
  complete_update(double, double, double) {}
  wide_lanes operator()(wide_lanes x, wide_lanes y, wide_lanes) const { return x > y ? x : y; }
};

struct average_update {
  average_update(double size_x, double size_y, double)
      : share_x(size_x / (size_x + size_y)), share_y(size_y / (size_x + size_y)) {}
  wide_lanes operator()(wide_lanes x, wide_lanes y, wide_lanes) const { return x * share_x + y * share_y; }
  double share_x, share_y;
};

/// Of squared distances.
struct ward_update {
  ward_update(double x, double y, double between) : size_x(x), size_y(y), distance(between) {}
  wide_lanes operator()(wide_lanes x, wide_lanes y, wide_lanes size) const {
    const wide_lanes value = ((size + size_x) * x + (size + size_y) * y - size * distance) / (size + (size_x + size_y));
    const wide_lanes low = x < y ? x : y;  // rounding must not take it below
    return value > low ? value : low;
  }
  double size_x, size_y, distance;
};

/// An n x n matrix of distances between clusters, with room for new ones.
template <class T>
class cluster_matrix {
  using vector = typename row_lanes<T>::type;

 public:
  static constexpr std::int64_t batch = 32;

  cluster_matrix(const host_executor& exec, std::int64_t n)
      : exec_(&exec),
        n_(n),
        leading_(whole(n) + whole(std::max<std::int64_t>(n / 8, 4 * batch))),
        data_(static_cast<T*>(exec.resource()->allocate(bytes(), 64))),
        used_(whole(n)),
        written_(whole(n)),
        alive_(n),
        slot_(fit(n), exec.resource()),
        index_(fit(leading_), -1, exec.resource()),
        dead_(fit(leading_), std::numeric_limits<T>::infinity(), exec.resource()),
        sizes_(fit(leading_), 0.0, exec.resource()),
        moves_(exec.resource()) {
    for (std::int64_t i = 0; i < n; ++i) {
      slot_[fit(i)] = index_[fit(i)] = static_cast<std::int32_t>(i);
      dead_[fit(i)] = 0;
      sizes_[fit(i)] = 1;
    }
  }
  cluster_matrix(const cluster_matrix&) = delete;
  cluster_matrix& operator=(const cluster_matrix&) = delete;
  ~cluster_matrix() { exec_->resource()->deallocate(data_, bytes(), 64); }

  /// Rows are filled by the caller, columns 0 .. n - 1, once; then `finish_row` is called for each.
  T* row(std::int64_t index) { return data_ + index * leading_; }
  void finish_row(std::int64_t index) { std::fill(row(index) + n_, row(index) + leading_, T{}); }

  bool alive(std::int64_t index) const { return slot_[fit(index)] >= 0; }

  /// The nearest cluster to x: `before` if that is as near as any, else the lowest index of the nearest.
  struct neighbour {
    std::int64_t index;
    T distance;
  };
  neighbour nearest(std::int64_t x, std::int64_t before) {
    fetch(x);
    const T* values = row(x);
    const auto own = fit(slot_[fit(x)]);
    dead_[own] = std::numeric_limits<T>::infinity();
    constexpr std::int64_t block = 1024;
    constexpr std::int64_t step = sizeof(vector) / sizeof(T);
    T smallest = std::numeric_limits<T>::infinity();
    std::int64_t index = n_;
    for (std::int64_t first = 0; first < used_; first += block) {
      const std::int64_t last = std::min(used_, first + block);
      vector low = smallest - vector{};
      for (std::int64_t j = first; j < last; j += step) low = lower(low, masked(values, j));
      T least = smallest;
      for (std::int64_t l = 0; l < step; ++l) least = std::min(least, low[l]);
      if (least < smallest) {
        smallest = least;
        index = n_;
      } else if (!any_equal(values, first, last, smallest)) {
        continue;
      }
      for (std::int64_t j = first; j < last; ++j)
        if (values[j] == smallest && dead_[fit(j)] == 0) index = std::min<std::int64_t>(index, index_[fit(j)]);
    }
    dead_[own] = 0;
    if (before >= 0 && values[slot_[fit(before)]] == smallest) index = before;
    return {index, smallest};
  }

  /// Makes y the union of x and y; x is no more.
  template <class Update>
  void merge(std::int64_t x, std::int64_t y) {
    fetch(x);
    fetch(y);
    const T* from = row(x);
    T* to = row(y);
    const auto slot_x = fit(slot_[fit(x)]), slot_y = fit(slot_[fit(y)]);
    const double size_x = sizes_[slot_x], size_y = sizes_[slot_y];
    const Update update(size_x, size_y, static_cast<double>(to[slot_x]));
    const std::int64_t width = whole(used_);
    for (std::int64_t j = 0; j < width; j += double_lanes)
      store_wide(to + j,
                 update(load_wide(from + j), load_wide(to + j), miq::detail::load<wide_lanes>(sizes_.data() + j)));
    dead_[slot_x] = dead_[slot_y] = std::numeric_limits<T>::infinity();
    index_[slot_x] = index_[slot_y] = -1;
    slot_[fit(x)] = -1;
    slot_[fit(y)] = static_cast<std::int32_t>(used_);
    index_[fit(used_)] = static_cast<std::int32_t>(y);
    dead_[fit(used_)] = 0;
    sizes_[fit(used_)] = size_x + size_y;
    --alive_;
    ++used_;
    if (used_ - written_ < batch) return;
    write_batch(used_ == leading_ || used_ > 7 * alive_ / 4 + 8 * batch);
  }

 private:
  static std::int64_t whole(std::int64_t n) { return (n + batch - 1) / batch * batch; }
  static std::size_t fit(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::size_t bytes() const { return fit(n_ * leading_) * sizeof(T); }

  static vector lower(vector a, vector b) { return a < b ? a : b; }
  /// Dead slots hold anything, NaN included; they count as infinite.
  vector masked(const T* values, std::int64_t j) const {
    const auto value = miq::detail::load<vector>(values + j), mask = miq::detail::load<vector>(dead_.data() + j);
    return value > mask ? value : mask;
  }
  bool any_equal(const T* values, std::int64_t first, std::int64_t last, T value) const {
    auto found = vector{} != vector{};
    for (auto j = first; j < last; j += static_cast<std::int64_t>(sizeof(vector) / sizeof(T)))
      found = found | (masked(values, j) == value);
    return miq::detail::any(found);
  }

  /// The entries of a row in the columns of clusters made after it and not yet written.
  void fetch(std::int64_t index) {
    const std::int64_t own = slot_[fit(index)];
    T* to = row(index);
    for (auto s = std::max(written_, own + 1); s < used_; ++s)
      if (index_[fit(s)] >= 0) to[s] = row(index_[fit(s)])[own];
  }

  /// Writes the columns of the new clusters into all rows; then, if asked to, closes up the slots.
  void write_batch(bool compact) {
    std::int64_t left = 0;
    moves_.clear();
    for (std::int64_t s = 0; s < used_; ++s)
      if (index_[fit(s)] >= 0) {
        moves_.push_back(static_cast<std::int32_t>(s));
        ++left;
      }
    constexpr std::int64_t tile = 512;
    const auto do_tile = [&](std::int64_t t) {
      const auto first = fit(t * tile), last = fit(std::min(left, (t + 1) * tile));
      for (auto k = first; k < last; ++k) {  // rows are far apart: ask for them early
        constexpr std::size_t ahead = 16;
        if (k + ahead < last) __builtin_prefetch(row(index_[fit(moves_[k + ahead])]) + written_, 1);
        fetch(index_[fit(moves_[k])]);
      }
    };
    if (left > 2 * tile)
      exec_->parallel_for((left + tile - 1) / tile, do_tile);
    else
      for (std::int64_t t = 0; t * tile < left; ++t) do_tile(t);
    written_ = used_;
    if (!compact) return;
    const auto close_up = [&](std::int64_t t) {
      for (auto k = fit(t * tile); k < fit(std::min(left, (t + 1) * tile)); ++k) {
        T* values = row(index_[fit(moves_[k])]);
        for (std::int64_t j = 0; j < left; ++j) values[j] = values[moves_[fit(j)]];
      }
    };
    exec_->parallel_for((left + tile - 1) / tile, close_up);
    for (std::int64_t j = 0; j < left; ++j) {
      const auto from = fit(moves_[fit(j)]);
      const auto index = index_[from];
      slot_[fit(index)] = static_cast<std::int32_t>(j);
      index_[fit(j)] = index;
      sizes_[fit(j)] = sizes_[from];
    }
    used_ = written_ = whole(left);
    for (std::int64_t j = 0; j < leading_; ++j) {
      dead_[fit(j)] = j < left ? T{} : std::numeric_limits<T>::infinity();
      if (j >= left) index_[fit(j)] = -1;
    }
  }

  const host_executor* exec_;
  std::int64_t n_, leading_;
  T* data_;                               // [n, leading]
  std::int64_t used_;                     // slots taken, rows are this wide
  std::int64_t written_;                  // columns from here on are in the rows of new clusters only
  std::int64_t alive_;                    // clusters left
  std::pmr::vector<std::int32_t> slot_;   // of each index; -1: merged
  std::pmr::vector<std::int32_t> index_;  // of each slot; -1: none
  std::pmr::vector<T> dead_;              // of each slot: 0, or infinity where there is no cluster
  std::pmr::vector<double> sizes_;        // of the cluster in each slot
  std::pmr::vector<std::int32_t> moves_;
};

}  // namespace chain

/// All merges, in the order in which the chain finds them. Heights are those of the matrix.
template <class Update, class T>
std::vector<chain_merge> follow_chain(chain::cluster_matrix<T>& clusters, std::int64_t n) {
  std::vector<chain_merge> merges;
  merges.reserve(static_cast<std::size_t>(n - 1));
  std::vector<std::int64_t> links;
  std::int64_t lowest = 0;
  while (static_cast<std::int64_t>(merges.size()) < n - 1) {
    if (links.empty()) {
      while (!clusters.alive(lowest)) ++lowest;
      links.push_back(lowest);
    }
    const auto x = links.back();
    const auto before = links.size() > 1 ? links[links.size() - 2] : -1;
    const auto near = clusters.nearest(x, before);
    if (near.index != before) {
      links.push_back(near.index);
      continue;
    }
    links.resize(links.size() - 2);
    const auto first = std::min(x, before), second = std::max(x, before);
    merges.push_back(
        {static_cast<std::int32_t>(first), static_cast<std::int32_t>(second), static_cast<double>(near.distance)});
    clusters.template merge<Update>(first, second);
  }
  return merges;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
