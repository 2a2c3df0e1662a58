// information/histogram.hpp: mutual information of binned channels, from the counts of a joint histogram.
#pragma once

#include <cstdint>
#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/estimate.hpp>

namespace miq::information {

/// Where a channel's range is cut into bins.
enum class bin_edges {
  equal_width,     ///< steps of the same length from the smallest to the largest value, which lies in the last bin
  equal_frequency  ///< as many tokens in each bin as ties allow: value v, of which `lower` tokens are smaller and
                   ///< `upper` not larger, goes to bin floor(bins (lower + upper) / (2 T)); equal values stay together
};

/// How many bins a channel of T tokens gets, before `max_bins`.
enum class bin_count_rule {
  fixed,             ///< `histogram_options::bins`
  square_root,       ///< ceil(sqrt(T))
  sturges,           ///< ceil(log2(T) + 1) (Sturges 1926)
  freedman_diaconis  ///< ceil(range / (2 IQR / cbrt(T))) (Freedman and Diaconis 1981), quartiles by linear
                     ///< interpolation; at least 2; for equal widths only; `sturges` where the quartiles coincide
};

/// What makes entropies out of counts.
enum class entropy_estimator {
  plug_in,       ///< -sum p ln p with p = n / T; mutual information is biased upwards by about (B_x - 1)(B_y - 1) / 2T
  miller_madow,  ///< adds (used cells - 1) / 2T to each entropy (Miller 1955)
  james_stein    ///< shrinks p towards the uniform distribution over all bins, with the intensity that minimises the
                 ///< estimated squared error (Hausser and Strimmer 2009); of a pair, the joint cells are shrunk
};

/// What `histogram` may be asked for.
struct histogram_options {
  bin_edges edges = bin_edges::equal_width;
  bin_count_rule rule = bin_count_rule::fixed;
  int bins = 16;       ///< of `bin_count_rule::fixed`: 2 to 256
  int max_bins = 256;  ///< no rule gives a channel more: 2 to 256
  entropy_estimator estimator = entropy_estimator::plug_in;
  bool clip_negative = false;  ///< whether negative estimates become 0; only `miller_madow` gives any
};

/// What happened on the way. `few_tokens`: the plug-in bias of two channels with the most bins exceeds 0.1 nats.
struct histogram_result : estimate_result {
  int most_bins = 0;            ///< bins of the channel that has the most
  std::int64_t capped = 0;      ///< channels for which the rule asked for more than `max_bins`
  std::int64_t spreadless = 0;  ///< channels whose quartiles coincide, so that `freedman_diaconis` became `sturges`
};

/// Mutual information of two channels in nats: `H(X) + H(Y) - H(X, Y)` of their bins.
///
/// @param x, y     [T] each, finite, T >= 2
/// @throws invalid_argument  as the overload for all pairs does
/// Symmetric to the bit. Allocates about 14 T bytes and the table of one pair.
template <executor Exec>
double histogram(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                 vector_view<const float, memory_of<Exec>> y, const histogram_options& options = {});

/// The same for the listed pairs of columns of `samples`, in the order of the list; a channel with itself gives 0.
///
/// @param mi  [pairs.size()]
template <executor Exec>
histogram_result histogram(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                           std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                           const histogram_options& options = {}, const progress_callback& progress = {});

/// The same for all pairs of columns.
///
/// @param exec     where to run. Synchronises.
/// @param samples  [T, c], finite, T from 2 to 2^31 - 1
/// @param mi       [c, c], written whole, symmetric to the bit; the diagonal is 0
/// @param progress phases "bins" and "histogram"; may cancel, then `mi` is unspecified
/// @throws invalid_argument  for a NaN or an infinity (naming channel and token), too few tokens, shapes that differ,
///                           `mi` overlapping `samples`, options out of range; `mi` is untouched
/// @throws cancelled         if the callback says so
///
/// A constant channel gives exactly 0 with every other. Two channels whose bins are a relabelling of each other give
/// exactly the entropy of either (plug-in). The order of tokens does not matter, to the bit. `equal_frequency` bins are
/// those of any increasing map of the channel.
///
/// The plug-in sum over T ln T is made in 64-bit fixed point (units of 2^-43 nats at T = 8192, before the division by
/// T), so that it is exact up to the rounding of its terms and does not depend on their order. Deterministic, the same
/// to the bit for every number of threads and, but for `james_stein`, every instruction set.
///
/// Cost: T c for the bins (and T c ln T for sorting, where bins need it). Then one channel is counted with 256 others
/// at once: with B the most used bins among these, and without the tokens of its own most frequent bin, 4 B T / 512
/// logical instructions on 512 bits for each of them (with AVX-512; 2 to 4 times as many on 256 or 128 bits), and B^2
/// table lookups. Pairs of channels with more than 64 used bins cost T increments of counters. Allocates T bytes a
/// channel, half as much again where 16 bins are used (three quarters: 64), up to 68 T bytes a thread while bins are
/// made, and about 12 T bytes and B KB a thread while pairs are counted (B^2 KB with `james_stein`).
template <executor Exec>
histogram_result histogram(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                           matrix_view<float, memory_of<Exec>> mi, const histogram_options& options = {},
                           const progress_callback& progress = {});

/// Which entropy of a binned channel is meant.
enum class histogram_entropy_kind {
  discrete,     ///< of the bin's number, never negative: what `normalise` takes
  differential  ///< of the piecewise constant density: the discrete one + ln(bin width); for equal widths only
};

/// Entropies of all channels, in nats, binned and estimated as for `histogram`.
///
/// @param entropies  [c]; of a constant channel 0, or minus infinity if differential
/// @throws invalid_argument  as `histogram` does
/// Cost: T c, and sorting where bins need it. Allocates T bytes a channel. Synchronises.
template <executor Exec>
histogram_result histogram_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                   vector_view<float, memory_of<Exec>> entropies, const histogram_options& options = {},
                                   histogram_entropy_kind kind = histogram_entropy_kind::discrete);

}  // namespace miq::information

#include <miq/information/detail/histogram.inl>
