// What Gaussian information asks of statistics and options, in any memory.
#pragma once

#include <cstdint>

#include <miq/calibration/statistics.hpp>
#include <miq/information/detail/samples/checks.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// What `correlation` and `gaussian_entropy` ask of the statistics' shapes, in any memory.
template <class Space>
void require_statistics_shape(const char* function, const calibration::statistics_view<Space>& statistics) {
  const auto columns = statistics.covariance.columns();
  require(statistics.covariance.rows() == columns, function, ": the covariance must be square, got ",
          shape_text(statistics.covariance.rows(), columns));
  require(statistics.minimum.size() == statistics.maximum.size() &&
              (statistics.minimum.empty() || statistics.minimum.size() == columns),
          function, ": minimum and maximum must both have ", columns, " elements or none, got ",
          statistics.minimum.size(), " and ", statistics.maximum.size());
  require(statistics.tokens >= 2, function, ": at least 2 tokens must have been seen, got ", statistics.tokens);
}

inline void require_max_correlation(const char* function, float max_correlation) {
  require(max_correlation > 0.0F && max_correlation < 1.0F, function, ": max_correlation must be within (0, 1), got ",
          max_correlation);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
