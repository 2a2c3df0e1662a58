// A second translation unit with the same headers.
#include <cstdint>
#include <numeric>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>

double sum_in_another_unit(const miq::host_executor& exec, miq::matrix_view<const float> values) {
  std::vector<double> rows(static_cast<std::size_t>(values.rows()));
  exec.parallel_for(values.rows(), [&](std::int64_t r) {
    const auto row = values.row(r);
    rows[static_cast<std::size_t>(r)] = std::accumulate(row.begin(), row.end(), 0.0);
  });
  return std::accumulate(rows.begin(), rows.end(), 0.0);
}
