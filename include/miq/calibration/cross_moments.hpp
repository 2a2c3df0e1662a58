// calibration/cross_moments.hpp: second moments between two streams over the same tokens, in one pass.
#pragma once

#include <cstdint>
#include <memory_resource>

#include <miq/calibration/activation.hpp>
#include <miq/calibration/cross_statistics.hpp>
#include <miq/calibration/detail/cross_moments/state.hpp>
#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/numeric_types.hpp>

namespace miq::calibration {

/// `2/n sum x y^T` and the means of two streams that run in step: x of a columns, for instance what a layer receives
/// after the layers before it were compressed, and y of b columns over the same tokens, for instance what it received
/// in the dense model, or outputs that it should deliver. Any number of batches of any number of tokens.
///
/// With `difference`, y is `second - first`, taken token by token before anything is summed: what
/// `obs::shift_target` wants. The two streams are close to each other then, and a difference of their moments, which
/// are large and rounded, would keep few digits of it.
///
/// **Arithmetic** as in `accumulator`: tiles of `tile_tokens` by position in the stream, each tile's own means taken
/// off before products are formed in float, in chains of 256 tokens; totals in double around the means, tiles joined by
/// the update of Chan, Golub and LeVeque (1979). The covariance of x_i and y_j is off by at most 2^-15 of `sqrt(var x_i
/// var y_j)`, the moment by that and one rounding. The difference is rounded to float once per token.
///
/// **Determinism.** The same tokens in the same order give the same bits for any batches and any number of threads.
///
/// **Memory**, from the resource given to the constructor: up to `4 (a + b) tile_tokens` bytes for the incomplete tile,
/// `8 (a + 64)(b + 64)` for the totals from the first full tile on. Copies are deep.
///
/// Used by one thread at a time. An accumulator that was moved from may be assigned to or destroyed.
class cross_moments {
 public:
  /// Tokens of one tile.
  static constexpr std::int64_t tile_tokens = detail::tile_tokens;
  /// The largest magnitude that a value may have: 2^58.
  static constexpr float max_magnitude = detail::max_magnitude;

  /// @throws invalid_argument if a number of columns is not within 1 to 2^24, or the two differ with `difference`
  cross_moments(std::int64_t first_columns, std::int64_t second_columns, const cross_moments_options& options = {},
                std::pmr::memory_resource* resource = std::pmr::get_default_resource());

  /// Takes in the tokens of a batch, in order.
  ///
  /// @param exec    where to run. When a tile is completed, allocates about `(4 tile_tokens + 40) (a + b + 128)` bytes
  ///                from its resource for the time of the call.
  /// @param first   [tokens, a], any number of tokens, 0 included
  /// @param second  [tokens, b]
  /// @throws invalid_argument  if shapes do not fit, or a value is NaN, infinite or beyond `max_magnitude`: the message
  ///                           names the stream, the token and the column. The accumulator is unchanged.
  ///
  /// Cost: tokens * a * b multiply-adds in float, on all threads.
  template <executor Exec>
  void add(const Exec& exec, matrix_view<const float, memory_of<Exec>> first,
           matrix_view<const float, memory_of<Exec>> second);

  /// The same for activations in 16 bits, or of two types; each value is converted to float first.
  template <executor Exec, activation First, activation Second>
  void add(const Exec& exec, matrix_view<const First, memory_of<Exec>> first,
           matrix_view<const Second, memory_of<Exec>> second);

  /// Takes in what another has seen, as if its tokens had been added here; an incomplete tile on either side is closed
  /// and joins as it is. Where both sides are of whole tiles, sums differ from those of one pass by double rounding
  /// alone; otherwise within the error named above.
  ///
  /// @throws invalid_argument  if columns or `difference` differ, or both are the same object; unchanged then
  template <executor Exec>
  void merge(const Exec& exec, const cross_moments& other);

  std::int64_t first_columns() const { return state_.first.columns; }
  std::int64_t second_columns() const { return state_.second.columns; }
  /// Tokens seen so far.
  std::int64_t tokens() const { return state_.tokens(); }

  /// The moments of all tokens so far; the accumulator goes on afterwards as if nothing had happened.
  /// @throws invalid_argument if no token was seen
  template <executor Exec>
  cross_statistics finish(const Exec& exec) const;

 private:
  detail::cross_state state_;
};

}  // namespace miq::calibration

#if !defined(MIQ_PRECOMPILED)
#include <miq/calibration/detail/cross_moments/host.inl>
#endif
