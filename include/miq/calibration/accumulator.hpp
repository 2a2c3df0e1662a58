// calibration/accumulator.hpp: learns the statistics of activations from a stream of batches, in one pass.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory_resource>

#include <miq/calibration/accumulator_options.hpp>
#include <miq/calibration/detail/accumulator/state.hpp>
#include <miq/calibration/statistics.hpp>
#include <miq/calibration/token_sample.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

namespace miq::calibration {

/// Covariance, means, amplitudes and ranges of c columns over any number of batches of any number of tokens; a uniform
/// sample of the tokens if asked for. Several accumulators, each with a part of the stream, merge into one.
///
/// **Arithmetic.** The stream is cut into tiles of `tile_tokens` by position, not by batch; an incomplete tile waits in
/// a buffer. In each tile the tile's own mean is taken off before products are formed in float, in chains of 256
/// tokens; everything else is summed in double, and tiles are joined by the update of Chan, Golub and LeVeque (1979).
/// So neither a mean of 10^4 deviations nor a stream whose mean drifts costs accuracy: covariance (i, j) is off by at
/// most 2^-15 sqrt(C_ii C_jj) (the bound for 256 products in a row), in practice by 2^-20. Means and mean amplitudes
/// are sums in double over all tokens; minimum and maximum are exact; a column whose minimum is its maximum has
/// covariances of exactly 0. Deviations below 10^-19 have squares that float cannot hold, and count as 0.
///
/// **Determinism.** The same tokens in the same order give the same bits for any batches and any number of threads,
/// with one build of the library. Merging adds up the same tiles in another order; see `merge`.
///
/// **Memory**, from the resource given to the constructor: up to `4 c tile_tokens` bytes for the incomplete tile, about
/// `4 (c + 64)^2 + 24 c` for the totals (from the first full tile on: the upper triangle in double, in square blocks of
/// 64), and `(4 c + 24) sample_tokens` for the sample. That is 4, 43 and 73 MiB at c = 768, 3072 and 4096 without a
/// sample. Copies are deep and use the default resource.
///
/// Used by one thread at a time.
class accumulator {
 public:
  /// Tokens of one tile.
  static constexpr std::int64_t tile_tokens = detail::tile_tokens;
  /// The largest magnitude that a value may have: 2^58, so that no product or sum can overflow.
  static constexpr float max_magnitude = detail::max_magnitude;

  /// @throws invalid_argument if `columns` is not within 1 to 2^24, `sample_tokens` within 0 to 2^31, `first_token`
  /// within 0 to 2^62
  explicit accumulator(std::int64_t columns, const accumulator_options& options = {},
                       std::pmr::memory_resource* resource = std::pmr::get_default_resource());

  /// Takes in the tokens of a batch, in order.
  ///
  /// @param exec   where to run. When a tile is completed, allocates about `(4 tile_tokens + 40) (c + 64)` bytes from
  ///               its resource for the time of the call. Does not synchronise.
  /// @param batch  [tokens, c], any number of tokens, 0 included
  /// @throws invalid_argument  if `batch` has another number of columns, or holds a NaN, an infinity or a value beyond
  ///                           `max_magnitude`: the message names the token and the column. The accumulator is
  ///                           unchanged.
  ///
  /// Cost: tokens * c^2 / 2 multiply-adds in float, as blocked matrix products on all threads of `exec`; every
  /// `tile_tokens` tokens the totals are read and written once.
  template <executor Exec>
  void add(const Exec& exec, matrix_view<const float, memory_of<Exec>> batch);

  /// Takes in what another accumulator has seen, as if its tokens had been added here.
  ///
  /// An incomplete tile on either side is closed and joins as it is. Merging an empty accumulator changes nothing;
  /// merging into an empty one copies. Which of two accumulators is merged into the other makes no difference to the
  /// bit. Against one pass over the same tokens:
  /// - accumulators of one tile each, merged in order, give the same bits, for that is how one pass is defined;
  /// - the same tiles joined in another order: each sum differs by double rounding alone, about 10^-15 of
  ///   sqrt(C_ii C_jj) per tile, so statistics in float are equal or neighbours;
  /// - other tiles (parts that do not end at a tile): covariances agree within the error named above.
  /// The samples become the sample of the whole, exactly. Tokens added afterwards count on from the further end of
  /// both.
  ///
  /// @throws invalid_argument  if columns, `sample_tokens` or `seed` differ, both are the same object, or (where a
  ///                           sample is kept) both have seen the same place of the stream as far as the samples show;
  ///                           the accumulator is unchanged
  ///
  /// Cost: reads both totals, writes one. Scratch as in `add`, if a tile is incomplete.
  template <executor Exec>
  void merge(const Exec& exec, const accumulator& other);

  std::int64_t columns() const { return state_.columns; }
  /// Tokens seen so far.
  std::int64_t tokens() const { return state_.tokens(); }
  /// Place in the whole stream of the token that would be added next.
  std::int64_t next_token() const { return state_.next_token; }

  /// The statistics of all tokens so far. The accumulator goes on afterwards as if nothing had happened.
  ///
  /// Allocates the result and, if a tile is incomplete, scratch as in `add`. @throws invalid_argument if no token was
  /// seen. Cost: reads the totals, writes c^2 floats.
  template <executor Exec>
  statistics finish(const Exec& exec) const;

  /// The sample so far: `min(sample_tokens, tokens())` tokens.
  token_sample sample() const;

  /// Writes everything to a binary stream: version 1, little-endian, with a checksum, `4 c^2` bytes and the incomplete
  /// tile. A loaded accumulator goes on with the same bits. @throws error if the stream fails
  void save(std::ostream& out) const;

  /// Reads what `save` wrote. Memory grows with what the stream really holds, not with what its header claims.
  /// @throws invalid_argument if the stream is cut short, damaged, of another version or tile size, or inconsistent
  static accumulator load(std::istream& in, std::pmr::memory_resource* resource = std::pmr::get_default_resource());

 private:
  explicit accumulator(detail::accumulator_state&& state) : state_(std::move(state)) {}

  detail::accumulator_state state_;
};

}  // namespace miq::calibration

#if !defined(MIQ_PRECOMPILED)
#include <miq/calibration/detail/accumulator/host.inl>
#endif
