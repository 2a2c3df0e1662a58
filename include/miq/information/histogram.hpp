// information/histogram.hpp: mutual information of binned channels, from the counts of a joint histogram.
#pragma once

#include <span>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/histogram_options.hpp>

namespace miq::information {

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
/// channel, half as much again where 16 bins are used (three quarters: 64), up to 68 T bytes per thread while bins are
/// made, and about 12 T bytes and B KB a thread while pairs are counted (B^2 KB with `james_stein`).
template <executor Exec>
histogram_result histogram(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                           matrix_view<float, memory_of<Exec>> mi, const histogram_options& options = {},
                           const progress_callback& progress = {});

/// Entropies of all channels, in nats, binned and estimated as for `histogram`.
///
/// @param entropies  [c]; of a constant channel 0, or minus infinity if differential
/// @throws invalid_argument  as `histogram` does
/// Cost: T c, and sorting where bins need it. Allocates T bytes per channel. Synchronises.
template <executor Exec>
histogram_result histogram_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                   vector_view<float, memory_of<Exec>> entropies, const histogram_options& options = {},
                                   histogram_entropy_kind kind = histogram_entropy_kind::discrete);

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/histogram/host.inl>
#endif
