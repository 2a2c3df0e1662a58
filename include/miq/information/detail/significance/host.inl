#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/significance.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Every channel's tokens in an order of its own, given by (seed, round, channel).
template <on_host Exec>
void permute_channels(const Exec& exec, matrix_view<const float> samples, std::uint64_t seed, std::int64_t round,
                      matrix<float>& out) {
  constexpr std::int64_t block = 16;
  const auto tokens = samples.rows(), channels = samples.columns();
  const auto of_round = random_hash(seed, static_cast<std::uint64_t>(round));
  exec.parallel_for((channels + block - 1) / block, [&](std::int64_t item) {
    const auto first = item * block, last = std::min(first + block, channels);
    for (std::int64_t t = 0; t < tokens; ++t)
      for (auto c = first; c < last; ++c) out(t, c) = samples(t, c);
    for (auto c = first; c < last; ++c) {
      random_stream random(random_hash(of_round, static_cast<std::uint64_t>(c)));
      for (auto left = tokens; left > 1; --left)
        std::swap(out(left - 1, c), out(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(left))), c));
    }
  });
}

/// Runs `estimate(samples, callback)` on permuted samples and hands every round to `count()`.
template <class Estimate, class Count>
void for_each_permutation(const host_executor& exec, matrix_view<const float> samples,
                          const permutation_test_options& options, const progress_callback& progress,
                          const Estimate& estimate, const Count& count) {
  matrix<float> permuted(samples.rows(), samples.columns(), exec.resource());
  const double share = 1.0 / (options.permutations + 1);
  for (int round = 0; round < options.permutations; ++round) {
    permute_channels(exec, samples, options.seed, round, permuted);
    estimate(matrix_view<const float>(permuted.view()),
             miq::part_of(progress, (round + 1) * share, (round + 2) * share, "permutations"));
    count();
  }
}

/// Whether a null estimate counts as at least the observed one. Estimators that sum in float, in the order of the
/// tokens, read the same dependence a few units in the last place higher or lower when tokens are permuted; such ties,
/// which are many where channels have few values, must count. Errs towards counting.
class reaches {
 public:
  explicit reaches(const estimator_options& estimator)
      : exact_(std::holds_alternative<histogram_options>(estimator) || std::holds_alternative<knn_options>(estimator)),
        gaussian_(std::holds_alternative<correlation_options>(estimator) ||
                  std::holds_alternative<rank_correlation_options>(estimator)) {}

  bool operator()(float null, float observed) const {
    if (null >= observed || exact_) return null >= observed;
    const auto a = static_cast<double>(null), b = static_cast<double>(observed);
    if (!gaussian_) return a >= b - 1e-5;
    // Correlations are off by 1e-6 or so: compared on that scale.
    const auto correlation = [](double mi) { return std::sqrt(-std::expm1(-2 * std::max(mi, 0.0))); };
    return correlation(a) >= correlation(b) - 4e-6;
  }

 private:
  bool exact_, gaussian_;
};

inline void require_permutations(const permutation_test_options& options) {
  require(options.permutations >= 1 && options.permutations <= 1'000'000,
          "permutation_test: permutations must be 1 to 1000000, got ", options.permutations);
}

template <on_host Exec>
estimator_result permutation_test_on(const Exec& exec, matrix_view<const float> samples, matrix_view<float> mi,
                                     matrix_view<float> p_values, matrix_view<float> bias,
                                     const estimator_options& estimator, const permutation_test_options& options,
                                     const progress_callback& progress) {
  require_permutations(options);
  require_mi("permutation_test", samples, mi);
  const auto channels = samples.columns();
  const auto fits = [&](matrix_view<float> m) { return m.rows() == channels && m.columns() == channels; };
  require(fits(p_values), "permutation_test: p_values must be ", shape_text(channels, channels), " to match mi, got ",
          shape_text(p_values.rows(), p_values.columns()));
  require(bias.empty() || fits(bias), "permutation_test: bias must be ", shape_text(channels, channels),
          " to match mi, or empty, got ", shape_text(bias.rows(), bias.columns()));
  using miq::detail::overlap;
  const matrix_view<const float> outputs[] = {mi, p_values, bias};
  for (const auto& output : outputs)
    require(!overlap(samples, output), "permutation_test: no output may overlap samples");
  require(!overlap(outputs[0], outputs[1]) && !overlap(outputs[0], outputs[2]) && !overlap(outputs[1], outputs[2]),
          "permutation_test: mi, p_values and bias must not overlap");

  const double share = 1.0 / (options.permutations + 1);
  const auto result = mutual_information(exec, samples, mi, estimator, miq::part_of(progress, 0, share, "observed"));
  matrix<float> null(channels, channels, exec.resource());
  exec.parallel_for(channels, [&](std::int64_t i) {
    std::fill_n(&p_values(i, 0), channels, 1.0F);
    if (!bias.empty()) std::fill_n(&bias(i, 0), channels, 0.0F);
  });
  const reaches counts(estimator);
  std::int64_t rounds = 0;
  for_each_permutation(
      exec, samples, options, progress,
      [&](matrix_view<const float> permuted, const progress_callback& part) {
        mutual_information(exec, permuted, matrix_view<float>(null.view()), estimator, part);
      },
      [&] {
        ++rounds;
        exec.parallel_for(channels, [&](std::int64_t i) {
          for (std::int64_t j = 0; j < channels; ++j) {
            p_values(i, j) += counts(null(i, j), mi(i, j)) ? 1.0F : 0.0F;
            if (!bias.empty()) bias(i, j) += (null(i, j) - bias(i, j)) / static_cast<float>(rounds);
          }
        });
      });
  exec.parallel_for(channels, [&](std::int64_t i) {
    for (std::int64_t j = 0; j < channels; ++j) {
      p_values(i, j) = static_cast<float>(static_cast<double>(p_values(i, j)) * share);
    }
    p_values(i, i) = 1.0F;
  });
  return result;
}

template <on_host Exec>
estimator_result permutation_test_on(const Exec& exec, matrix_view<const float> samples,
                                     std::span<const channel_pair> pairs, vector_view<float> mi,
                                     vector_view<float> p_values, vector_view<float> bias,
                                     const estimator_options& estimator, const permutation_test_options& options,
                                     const progress_callback& progress) {
  require_permutations(options);
  require_pairs("permutation_test", pairs, samples.columns(), mi);
  const auto count = mi.size();
  require(p_values.size() == count, "permutation_test: p_values must have ", count, " elements to match mi, got ",
          p_values.size());
  require(bias.empty() || bias.size() == count, "permutation_test: bias must have ", count,
          " elements to match mi, or none, got ", bias.size());
  const auto overlap = [](const auto& a, const auto& b) {
    return miq::detail::ranges_overlap(a.data(), a.size() * static_cast<std::int64_t>(sizeof(float)), b.data(),
                                       b.size() * static_cast<std::int64_t>(sizeof(float)));
  };
  require(!overlap(mi, p_values) && !overlap(mi, bias) && !overlap(p_values, bias),
          "permutation_test: mi, p_values and bias must not overlap");
  for (const auto& output : {mi, p_values, bias})
    require(!miq::detail::overlap(samples, matrix_view<const float>(output.data(), 1, output.size())),
            "permutation_test: no output may overlap samples");
  const double share = 1.0 / (options.permutations + 1);
  const auto result =
      mutual_information(exec, samples, pairs, mi, estimator, miq::part_of(progress, 0, share, "observed"));
  std::vector<float> null(pairs.size());
  std::fill_n(p_values.data(), count, 1.0F);
  if (!bias.empty()) std::fill_n(bias.data(), count, 0.0F);
  const reaches counts(estimator);
  std::int64_t rounds = 0;
  for_each_permutation(
      exec, samples, options, progress,
      [&](matrix_view<const float> permuted, const progress_callback& part) {
        mutual_information(exec, permuted, pairs, vector_view<float>(null), estimator, part);
      },
      [&] {
        ++rounds;
        for (std::int64_t p = 0; p < count; ++p) {
          const auto value = null[static_cast<std::size_t>(p)];
          p_values[p] += counts(value, mi[p]) ? 1.0F : 0.0F;
          if (!bias.empty()) bias[p] += (value - bias[p]) / static_cast<float>(rounds);
        }
      });
  for (std::int64_t p = 0; p < count; ++p) {
    p_values[p] = static_cast<float>(static_cast<double>(p_values[p]) * share);
  }
  return result;
}

template <on_host Exec>
pair_significance permutation_test_on(const Exec& exec, vector_view<const float> x, vector_view<const float> y,
                                      const estimator_options& estimator, const permutation_test_options& options) {
  const auto samples = side_by_side(exec, "permutation_test", x, y);
  const channel_pair pair{0, 1};
  float mi = 0, p_value = 0, bias = 0;
  permutation_test_on(exec, samples, {&pair, 1}, {&mi, 1}, {&p_value, 1}, {&bias, 1}, estimator, options, {});
  return {static_cast<double>(mi), static_cast<double>(p_value), static_cast<double>(bias)};
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
estimator_result permutation_test(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                  matrix_view<float, memory_of<Exec>> mi, matrix_view<float, memory_of<Exec>> p_values,
                                  matrix_view<float, memory_of<Exec>> bias, const estimator_options& estimator,
                                  const permutation_test_options& options, const progress_callback& progress) {
  return detail::permutation_test_on(exec, samples, mi, p_values, bias, estimator, options, progress);
}

template <executor Exec>
estimator_result permutation_test(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                  std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                                  vector_view<float, memory_of<Exec>> p_values,
                                  vector_view<float, memory_of<Exec>> bias, const estimator_options& estimator,
                                  const permutation_test_options& options, const progress_callback& progress) {
  return detail::permutation_test_on(exec, samples, pairs, mi, p_values, bias, estimator, options, progress);
}

template <executor Exec>
pair_significance permutation_test(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                                   vector_view<const float, memory_of<Exec>> y, const estimator_options& estimator,
                                   const permutation_test_options& options) {
  return detail::permutation_test_on(exec, x, y, estimator, options);
}

}  // namespace miq::information
