#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include <miq/information/detail/affinity/host.inl>
#include <miq/information/detail/normalisation/names.hpp>
#include <miq/information/normalisation.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// A channel without entropy: 0 for a discrete constant, minus infinity for a continuous one.
inline bool holds_nothing(float entropy) {
  return entropy == 0.0F || entropy == -std::numeric_limits<float>::infinity();
}

template <on_host Exec>
void require_entropies(const Exec& exec, matrix_view<const float> mi, vector_view<const float> entropies,
                       normalisation how) {
  const auto columns = mi.columns();
  require(entropies.size() == columns, "normalise: entropies must have ", columns,
          " elements for normalisation::", name_of(how), ", got ", entropies.size());
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto h = entropies[c];
    require(!std::isnan(h) && h != std::numeric_limits<float>::infinity(), "normalise: entropies must be finite, got ",
            h, " for column ", c);
    require(h >= 0.0F || holds_nothing(h),
            "normalise: entropies must not be negative for normalisation::", name_of(how), ", got ", h, " for column ",
            c, "; differential entropies may be, and for them use normalisation::information_coefficient");
  }
  exec.parallel_for(columns, [&](std::int64_t i) {
    const bool row_empty = holds_nothing(entropies[i]);
    for (auto j = i + 1; j < columns; ++j)
      require(!(row_empty || holds_nothing(entropies[j])) || mi(i, j) == 0.0F,
              "normalise: a channel without entropy must have no information for normalisation::", name_of(how),
              ", got entropies ", entropies[i], " and ", entropies[j], " and mi ", mi(i, j), " for columns ", i,
              " and ", j, "; for estimates of continuous channels use normalisation::information_coefficient");
  });
}

/// Divides by `denominator(H(i), H(j))`; pairs of which one channel holds nothing give 0.
template <class Denominator>
void divide_information(const host_executor& exec, matrix_view<const float> mi, vector_view<const float> entropies,
                        matrix_view<float> out, const Denominator& denominator) {
  calibration::detail::write_symmetric(
      exec, out,
      [&](std::int64_t first, std::int64_t count, double* scales) {
        for (std::int64_t k = 0; k < count; ++k) scales[k] = static_cast<double>(entropies[first + k]);
      },
      [&](std::int64_t i, std::int64_t first, std::int64_t count, const double* scales, float* values) {
        const auto h = static_cast<double>(entropies[i]);
        const float* const from = &mi(i, first);
        for (std::int64_t k = 0; k < count; ++k) {
          const auto x = static_cast<double>(from[k]);
          values[k] = x == 0.0 ? 0.0F : static_cast<float>(x / denominator(h, scales[k]));
        }
      });
}

template <on_host Exec>
normalisation_result normalise_on(const Exec& exec, matrix_view<const float> mi, vector_view<const float> entropies,
                                  normalisation how, matrix_view<float> out) {
  require_information(exec, "normalise", mi, out);
  if (needs_entropies(how)) require_entropies(exec, mi, entropies, how);
  normalisation_result result;
  switch (how) {
    case normalisation::none:
      divide_information(exec, mi, mi.row(0), out, [](double, double) { return 1.0; });
      break;
    case normalisation::arithmetic:
      divide_information(exec, mi, entropies, out, [](double a, double b) { return 0.5 * (a + b); });
      break;
    case normalisation::geometric:
      divide_information(exec, mi, entropies, out, [](double a, double b) { return std::sqrt(a * b); });
      break;
    case normalisation::minimum:
      divide_information(exec, mi, entropies, out, [](double a, double b) { return std::min(a, b); });
      break;
    case normalisation::maximum:
      divide_information(exec, mi, entropies, out, [](double a, double b) { return std::max(a, b); });
      break;
    case normalisation::correlation:
    case normalisation::information_coefficient:
      result.clipped = write_information_coefficient(exec, mi, out);
      break;
    default:
      require(false, "normalise: how must be a normalisation, got ", static_cast<int>(how));
  }
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
normalisation_result normalise(const Exec& exec, matrix_view<const float, memory_of<Exec>> mi,
                               vector_view<const float, memory_of<Exec>> entropies, normalisation how,
                               matrix_view<float, memory_of<Exec>> out) {
  return detail::normalise_on(exec, mi, entropies, how, out);
}

}  // namespace miq::information
