// What an accumulator holds between two batches.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <utility>
#include <vector>

#include <miq/core/detail/upper_blocks.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq::calibration::detail {

/// Tokens of a tile. Totals are read and written once per tile, which at 256 takes a quarter of the time of the
/// products on wide layers, at 512 an eighth; a longer tile would enlarge buffer and scratch for little.
inline constexpr std::int64_t tile_tokens = 512;

/// Tokens whose products are summed in float before they go to double.
inline constexpr std::int64_t chain_tokens = 256;

/// (2 * 2^58)^2 * chain_tokens = 2^126 is below the largest float.
inline constexpr float max_magnitude = 0x1p58F;

inline constexpr std::int64_t max_columns = std::int64_t{1} << 24;
inline constexpr std::int64_t max_token = std::int64_t{1} << 62;
inline constexpr std::int64_t max_sample_tokens = std::int64_t{1} << 31;

/// Sums over the closed tiles, empty while `tokens` is 0. `second` is sum (x - mean)(x - mean)^T, the upper triangle in
/// blocks as `upper_block_place` orders them, padded at the edges; below the diagonal of a diagonal block lies
/// anything.
struct totals {
  explicit totals(std::pmr::memory_resource* resource)
      : sum(resource), absolute(resource), minimum(resource), maximum(resource) {}

  std::int64_t tokens = 0;
  std::pmr::vector<double> sum, absolute;    // [columns]
  std::pmr::vector<float> minimum, maximum;  // [columns]
  matrix<double> second;                     // [upper blocks, block_columns^2]

  void assign(const totals& other, std::pmr::memory_resource* resource) {
    if (other.tokens == 0) return;
    sum = other.sum;
    absolute = other.absolute;
    minimum = other.minimum;
    maximum = other.maximum;
    second = matrix<double>(other.second.view(), resource);
    tokens = other.tokens;
  }

  /// Makes the memory ready for the first tile.
  void allocate(std::int64_t columns, std::pmr::memory_resource* resource) {
    if (!second.empty()) return;
    const auto size = static_cast<std::size_t>(columns);
    sum.resize(size);
    absolute.resize(size);
    minimum.resize(size);
    maximum.resize(size);
    second = matrix<double>(upper_blocks_of(blocks_of(columns)), block_columns * block_columns, resource);
  }

  double* block(std::int64_t place) { return second.data() + place * second.columns(); }
  const double* block(std::int64_t place) const { return second.data() + place * second.columns(); }
};

struct sampled_token {
  std::uint64_t hash = 0;
  std::int64_t index = 0;  // in the whole stream
  std::int64_t slot = 0;   // row of sample_rows

  friend bool operator<(const sampled_token& a, const sampled_token& b) { return a.hash < b.hash; }
};

/// Offers the token at `index` of the stream to a sample of at most `limit`, `heap`. Returns the row where it goes, or
/// -1 if it stays out. Makes room in `heap` unless there is some.
template <class Heap>
std::int64_t offer_token(Heap& heap, std::int64_t limit, std::uint64_t seed, std::int64_t index) {
  sampled_token token{random_hash(seed, static_cast<std::uint64_t>(index)), index,
                      static_cast<std::int64_t>(heap.size())};
  if (token.slot == limit) {
    if (!(token < heap.front())) return -1;
    token.slot = heap.front().slot;
    std::pop_heap(heap.begin(), heap.end());
    heap.back() = token;
  } else {
    heap.push_back(token);
  }
  std::push_heap(heap.begin(), heap.end());
  return token.slot;
}

/// Two sets of n and m tokens are joined by: sum of products += weight * d d^T, with this weight and the difference d
/// of their means (Chan, Golub and LeVeque 1979).
MIQ_HOST_DEVICE constexpr double join_weight(std::int64_t n, std::int64_t m) {
  return static_cast<double>(n) * static_cast<double>(m) / (static_cast<double>(n) + static_cast<double>(m));
}

MIQ_HOST_DEVICE constexpr double mean_difference(double sum, std::int64_t n, double other_sum, std::int64_t m) {
  return sum / static_cast<double>(n) - other_sum / static_cast<double>(m);
}

struct accumulator_state {
  explicit accumulator_state(std::pmr::memory_resource* from)
      : resource(from), closed(from), buffer(from), heap(from), sample_rows(from) {}

  /// A deep copy whose memory comes from `from`.
  accumulator_state(const accumulator_state& other, std::pmr::memory_resource* from) : accumulator_state(from) {
    columns = other.columns;
    sample_tokens = other.sample_tokens;
    seed = other.seed;
    next_token = other.next_token;
    closed.assign(other.closed, from);
    buffered = other.buffered;
    buffer.assign(other.buffer.begin(), other.buffer.begin() + static_cast<std::ptrdiff_t>(buffered * columns));
    heap = other.heap;
    sample_rows = other.sample_rows;
  }
  accumulator_state(const accumulator_state& other) : accumulator_state(other, std::pmr::get_default_resource()) {}

  /// The source is left as an accumulator that has seen nothing.
  accumulator_state(accumulator_state&& other) noexcept
      : resource(other.resource),
        columns(other.columns),
        sample_tokens(other.sample_tokens),
        seed(other.seed),
        next_token(other.next_token),
        closed(std::move(other.closed)),
        buffered(std::exchange(other.buffered, 0)),
        buffer(std::move(other.buffer)),
        heap(std::move(other.heap)),
        sample_rows(std::move(other.sample_rows)) {
    other.closed.tokens = 0;
    other.heap.clear();
  }

  /// Takes over memory and resource of the other, since containers of different resources cannot be swapped.
  accumulator_state& operator=(accumulator_state other) noexcept {
    std::destroy_at(this);
    return *std::construct_at(this, std::move(other));
  }
  ~accumulator_state() = default;

  std::pmr::memory_resource* resource;
  std::int64_t columns = 0;
  std::int64_t sample_tokens = 0;
  std::uint64_t seed = 0;
  std::int64_t next_token = 0;

  totals closed;
  std::int64_t buffered = 0;             // tokens of the incomplete tile
  std::pmr::vector<float> buffer;        // [buffered, columns] at least
  std::pmr::vector<sampled_token> heap;  // a heap: the largest hash first
  std::pmr::vector<float> sample_rows;   // [heap.size(), columns] at least

  std::int64_t tokens() const { return closed.tokens + buffered; }
  matrix_view<const float> buffered_rows() const { return {buffer.data(), buffered, columns}; }
};

}  // namespace miq::calibration::detail
