// information/class_information.hpp: what channels know of discrete labels (Ross 2014).
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/information/estimate.hpp>

namespace miq::information {

/// What `class_information` may be asked for.
struct class_information_options {
  int neighbours = 3;          ///< k, at least 1; in a class of n tokens min(k, n - 1) are used
  float noise = 0x1p-11F;      ///< equal values are spread over this many deviations, 0 to 1; see `knn_options`
  std::uint64_t seed = 0;      ///< of the noise
  bool clip_negative = false;  ///< whether negative estimates become 0
};

/// What happened on the way. `negative` counts channels; `few_tokens` is set below 100 tokens, or 20 a class, on
/// average.
struct class_information_result : estimate_result {
  std::int64_t classes = 0;   ///< labels of two tokens or more
  std::int64_t left_out = 0;  ///< tokens whose label has no other
  std::int64_t tied = 0;      ///< channels, not constant, in which a value occurs more than once
};

/// Mutual information of each channel with one vector of labels, in nats (Ross 2014, "Mutual information between
/// discrete and continuous data sets", eq. 2):
///
///     I = psi(N) + mean_t [psi(k_t) - psi(n_t) - psi(m_t)]
///
/// over the N tokens whose label is not alone: n_t tokens have the label of token t, k_t = min(k, n_t - 1), and m_t
/// tokens of any label, t included, are nearer than the k_t-th nearest of the same label (scikit-learn's
/// `mutual_info_classif` reads the paper in the same way). Where that is at distance 0 (without noise, or with many
/// equal values), all tokens equal to t count, of its label in place of k_t, and of any label as m_t.
///
/// Equal values are told apart by noise that depends on the seed, the place of the value in the sorted channel, and the
/// order of its tokens by label: so the estimate does not change, to the bit, for permuted tokens. A change of unit or
/// any increasing affine map changes it by rounding only (distances are double); names of labels matter
/// only through their order, and only where values tie.
///
/// @param exec      where to run
/// @param labels    one per token, any values
/// @param samples   [tokens, channels], at least 2 tokens, at most 2^24
/// @param mi        [channels]; 0 for a constant channel, and for all if fewer than two labels occur twice
/// @param progress  called on this thread; may cancel, `mi` is then unspecified
/// @throws invalid_argument  if sizes differ, tokens are too few, an option is out of range, or a value is NaN or
///                           infinite (the message names the channel); `mi` is untouched
/// @throws cancelled         if `progress` returns false
///
/// Cost: one sort a channel, T (k + 1) comparisons, 2 T binary searches. Allocates about 32 bytes per token and thread.
/// Deterministic, and independent of the number of threads.
template <executor Exec>
class_information_result class_information(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> labels,
                                           matrix_view<const float, memory_of<Exec>> samples,
                                           vector_view<float, memory_of<Exec>> mi,
                                           const class_information_options& options = {},
                                           const progress_callback& progress = {});

}  // namespace miq::information

#if !defined(MIQ_PRECOMPILED)
#include <miq/information/detail/class_information/host.inl>
#endif
