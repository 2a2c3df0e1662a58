#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include <miq/core/detail/eigen.hpp>
#include <miq/core/detail/matrix_product.hpp>
#include <miq/information/detail/correlation/host.inl>
#include <miq/information/detail/correlation/standardised.hpp>
#include <miq/information/detail/rank_correlation/normal_scores.hpp>
#include <miq/information/rank_correlation.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

template <on_host Exec>
void require_rank_correlation(const Exec& exec, matrix_view<const float> samples,
                              const rank_correlation_options& options) {
  require_max_correlation("rank_correlation", options.max_correlation);
  require_samples(exec, "rank_correlation", samples, 2);
  require(samples.rows() < (std::int64_t{1} << 30), "rank_correlation: samples must hold fewer than 2^30 tokens, got ",
          samples.rows());
}

/// Turns the values of a channel into standardised normal scores. Returns false for a constant channel.
inline bool standard_scores(const normal_scores& scores, float* values, std::int64_t tokens,
                            std::vector<std::uint64_t>& sorted, std::int64_t& tied) {
  const auto most = scores.apply(values, tokens, sorted);
  tied += most < tokens && 10 * most > tokens;
  return standardise(values, tokens);
}

template <on_host Exec>
rank_correlation_result rank_correlation_on(const Exec& exec, matrix_view<const float> samples, matrix_view<float> mi,
                                            const rank_correlation_options& options,
                                            const progress_callback& progress) {
  require_mi("rank_correlation", samples, mi);
  require_rank_correlation(exec, samples, options);
  const auto tokens = samples.rows(), channels = samples.columns();
  const normal_scores scores(tokens);
  matrix<float> rows(channels, tokens, exec.resource());
  copy_channels(exec, samples, rows);
  rank_correlation_result result;
  result.few_tokens = tokens < 100;
  struct slot_state {
    std::vector<std::uint64_t> sorted;
    std::int64_t constant = 0, tied = 0, clamped = 0;
  };
  std::vector<slot_state> slots(static_cast<std::size_t>(exec.threads()));
  for_each_item(exec, channels, progress, "ranks", 0, 0.4, [&](std::int64_t slot, std::int64_t c) {
    auto& own = slots[static_cast<std::size_t>(slot)];
    own.constant += !standard_scores(scores, &rows(c, 0), tokens, own.sorted, own.tied);
  });

  constexpr std::int64_t tile = 256, chain = 512;
  const auto blocks = (channels + tile - 1) / tile;
  using miq::detail::operand;
  using miq::detail::row_major_matrix;
  for_each_item(exec, calibration::detail::upper_blocks_of(blocks), progress, "rank correlation", 0.4, 1,
                [&](std::int64_t slot, std::int64_t place) {
                  const auto [row_block, column_block] = calibration::detail::upper_block_at(place, blocks);
                  const auto row = row_block * tile, row_count = std::min(tile, channels - row);
                  const auto column = column_block * tile, column_count = std::min(tile, channels - column);
                  row_major_matrix<double> sums = row_major_matrix<double>::Zero(row_count, column_count);
                  row_major_matrix<float> part(row_count, column_count);
                  for (std::int64_t t = 0; t < tokens; t += chain) {
                    part.setZero();
                    miq::detail::multiply_add<operand::as_is, operand::transposed>(
                        row_count, column_count, std::min(chain, tokens - t), 1.0F, &rows(row, t), tokens,
                        &rows(column, t), tokens, part.data(), column_count);
                    sums += part.cast<double>();
                  }
                  auto& clamped = slots[static_cast<std::size_t>(slot)].clamped;
                  for (std::int64_t i = 0; i < row_count; ++i) {
                    if (row_block == column_block) mi(row + i, row + i) = 0.0F;
                    for (auto j = row_block == column_block ? i + 1 : 0; j < column_count; ++j) {
                      const double rho = sums(i, j) / static_cast<double>(tokens);
                      mi(row + i, column + j) = mi(column + j, row + i) =
                          gaussian_information(rho * rho, options.max_correlation, clamped);
                    }
                  }
                });
  for (const auto& own : slots) {
    result.constant += own.constant;
    result.tied += own.tied;
    result.clamped += own.clamped;
  }
  return result;
}

template <on_host Exec>
rank_correlation_result rank_correlation_on(const Exec& exec, matrix_view<const float> samples,
                                            std::span<const channel_pair> pairs, vector_view<float> mi,
                                            const rank_correlation_options& options,
                                            const progress_callback& progress) {
  require_pairs("rank_correlation", pairs, samples.columns(), mi);
  require_rank_correlation(exec, samples, options);
  const normal_scores scores(samples.rows());
  rank_correlation_result result;
  std::atomic<std::int64_t> tied{0};
  listed_correlations(exec, "rank correlation", samples, pairs, mi, options.max_correlation, progress, result,
                      [&](std::int64_t c, float* row) {
                        for (std::int64_t t = 0; t < samples.rows(); ++t) row[t] = samples(t, c);
                        std::vector<std::uint64_t> sorted;
                        std::int64_t found = 0;
                        const bool varies = standard_scores(scores, row, samples.rows(), sorted, found);
                        tied.fetch_add(found, std::memory_order_relaxed);
                        return varies;
                      });
  result.tied = tied.load();
  return result;
}

template <on_host Exec>
double rank_correlation_on(const Exec& exec, vector_view<const float> x, vector_view<const float> y,
                           const rank_correlation_options& options) {
  const auto samples = side_by_side(exec, "rank_correlation", x, y);
  const channel_pair pair{0, 1};
  float value = 0;
  rank_correlation_on(exec, samples, {&pair, 1}, {&value, 1}, options, {});
  return static_cast<double>(value);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
rank_correlation_result rank_correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                         matrix_view<float, memory_of<Exec>> mi,
                                         const rank_correlation_options& options, const progress_callback& progress) {
  return detail::rank_correlation_on(exec, samples, mi, options, progress);
}

template <executor Exec>
rank_correlation_result rank_correlation(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                                         std::span<const channel_pair> pairs, vector_view<float, memory_of<Exec>> mi,
                                         const rank_correlation_options& options, const progress_callback& progress) {
  return detail::rank_correlation_on(exec, samples, pairs, mi, options, progress);
}

template <executor Exec>
double rank_correlation(const Exec& exec, vector_view<const float, memory_of<Exec>> x,
                        vector_view<const float, memory_of<Exec>> y, const rank_correlation_options& options) {
  return detail::rank_correlation_on(exec, x, y, options);
}

}  // namespace miq::information
