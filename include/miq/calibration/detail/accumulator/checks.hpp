// What calibration asks of its arguments, in any memory.
#pragma once

#include <cstdint>

#include <miq/calibration/accumulator_options.hpp>
#include <miq/calibration/cross_statistics.hpp>
#include <miq/calibration/detail/accumulator/state.hpp>
#include <miq/core/error.hpp>

namespace miq::calibration::detail {

using miq::detail::require;
using miq::detail::shape_text;

inline void require_accumulator(const char* function, std::int64_t columns, const accumulator_options& options) {
  require(columns >= 1 && columns <= max_columns, function, ": columns must be 1 to 2^24, got ", columns);
  require(options.sample_tokens >= 0 && options.sample_tokens <= max_sample_tokens, function,
          ": sample_tokens must be 0 to 2^31, got ", options.sample_tokens);
  require(options.first_token >= 0 && options.first_token <= max_token, function,
          ": first_token must be 0 to 2^62, got ", options.first_token);
}

/// What `hessian` asks of shapes, in any memory: of a `statistics_view` and a matrix.
template <class Statistics, class Matrix>
void require_hessian(const Statistics& seen, const Matrix& out) {
  const auto columns = seen.covariance.columns();
  require(seen.covariance.rows() == columns, "hessian: the covariance must be square, got ",
          shape_text(seen.covariance.rows(), columns));
  require(seen.mean.size() == columns, "hessian: mean must have ", columns, " elements to match the covariance, got ",
          seen.mean.size());
  require(out.rows() == columns && out.columns() == columns, "hessian: hessian must be ", shape_text(columns, columns),
          " to match the statistics, got ", shape_text(out.rows(), out.columns()));
  require(seen.tokens >= 1, "hessian: at least 1 token must have been seen, got ", seen.tokens);
  require(!miq::detail::overlap(seen.covariance, decltype(seen.covariance)(out)),
          "hessian: hessian must not overlap the covariance");
}

inline void require_cross_moments(const char* function, std::int64_t first_columns, std::int64_t second_columns,
                                  const cross_moments_options& options) {
  using miq::detail::require;
  for (const auto columns : {first_columns, second_columns})
    require(columns >= 1 && columns <= max_columns, function, ": columns must be 1 to 2^24, got ", columns);
  require(!options.difference || first_columns == second_columns, function,
          ": difference needs streams of the same columns, got ", first_columns, " and ", second_columns);
}

}  // namespace miq::calibration::detail
