// information/histogram_options.hpp: options and results, for the host and for devices.
#pragma once

#include <cstdint>

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

/// Which entropy of a binned channel is meant.
enum class histogram_entropy_kind {
  discrete,     ///< of the bin's number, never negative: what `normalise` takes
  differential  ///< of the piecewise constant density: the discrete one + ln(bin width); for equal widths only
};

/// See `estimator_traits`.
template <>
struct estimator_traits<histogram_options> {
  using result = histogram_result;
  static constexpr const char* name = "histogram";
  static constexpr auto entropies = entropy_kind::discrete;
  static auto estimate(const auto&... arguments) -> decltype(histogram(arguments...)) {
    return histogram(arguments...);
  }
  static auto entropy(const auto&... arguments) -> decltype(histogram_entropy(arguments...)) {
    return histogram_entropy(arguments...);
  }
};

}  // namespace miq::information
