#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>
#include <numbers>
#include <vector>

#include <miq/information/detail/kde/checks.hpp>
#include <miq/information/detail/kde/kernel_width.hpp>
#include <miq/information/detail/kde/kernels.hpp>
#include <miq/information/detail/samples/samples.hpp>
#include <miq/information/kde.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// Of ascending values, in `dimensions` dimensions.
inline kernel_width kernel_width_of(const std::pmr::vector<float>& sorted, bandwidth_rule rule, int dimensions) {
  const auto count = static_cast<std::int64_t>(sorted.size());
  const bool silverman = rule == bandwidth_rule::silverman;
  return kernel_width_of(value_in_array{sorted.data()}, count, silverman, kernel_width_factor(silverman, dimensions),
                         kernel_width_power(count, dimensions));
}

/// Channels as kernels take them, with what belongs to each alone.
struct kde_channels {
  kde_channels(std::int64_t count, std::pmr::memory_resource* resource)
      : widths(static_cast<std::size_t>(count), kernel_width{}, resource),
        alone(static_cast<std::size_t>(count), logarithm_sum{}, resource) {}

  bool constant(std::int64_t c) const { return widths[static_cast<std::size_t>(c)].width == 0; }
  std::int64_t logarithms(std::int64_t c) const { return alone[static_cast<std::size_t>(c)].logarithms; }
  std::int64_t constants() const {
    return std::count_if(widths.begin(), widths.end(), [](const kernel_width& w) { return w.width == 0; });
  }

  std::pmr::vector<kernel_width> widths;
  std::pmr::vector<logarithm_sum> alone;
};

/// Memory of one thread that prepares channels.
struct kde_scratch {
  kde_scratch(std::int64_t tokens, std::pmr::memory_resource* resource)
      : sorted(static_cast<std::size_t>(tokens), resource),
        u(static_cast<std::size_t>(tokens) + 2 * lanes, 0.0F, resource) {}
  std::pmr::vector<float> sorted, u;
};

/// Widths of every channel, and if wanted logarithms; `value(c, t)` gives the samples, `keep(c, t, u)` takes them in
/// kernel units.
template <class Value, class Keep>
kde_channels prepare_kernels(const host_executor& exec, std::int64_t channels, std::int64_t tokens, int dimensions,
                             bool alone, const kde_options& options, const progress_callback& progress, double to_share,
                             const Value& value, const Keep& keep) {
  kde_channels result(channels, exec.resource());
  std::pmr::vector<kde_scratch> scratch(exec.resource());
  scratch.reserve(static_cast<std::size_t>(exec.threads()));
  for (int i = 0; i < exec.threads(); ++i) scratch.emplace_back(tokens, exec.resource());
  for_each_item(exec, channels, progress, "channels", 0, to_share, [&](std::int64_t slot, std::int64_t c) {
    auto& [sorted, u] = scratch[static_cast<std::size_t>(slot)];
    for (std::int64_t t = 0; t < tokens; ++t) sorted[static_cast<std::size_t>(t)] = value(c, t);
    std::sort(sorted.begin(), sorted.end());
    const auto width = kernel_width_of(sorted, options.rule, dimensions);
    result.widths[static_cast<std::size_t>(c)] = width;
    for (std::int64_t t = 0; t < tokens; ++t) {
      u[static_cast<std::size_t>(t)] = width.width > 0 ? in_kernel_units(value(c, t), width) : 0.0F;
      keep(c, t, u[static_cast<std::size_t>(t)]);
    }
    if (alone && width.width > 0)
      result.alone[static_cast<std::size_t>(c)] = channel_logarithms(u.data(), tokens, options.leave_one_out);
  });
  return result;
}

/// From sums of logarithms to information; integer until the end, so that the order of channels does not matter.
inline double kernel_information(std::int64_t joint, std::int64_t first, std::int64_t second, std::int64_t tokens,
                                 bool leave_one_out) {
  const auto count = static_cast<double>(tokens);
  return std::log(leave_one_out ? count - 1 : count) +
         static_cast<double>(joint - (first + second)) * logarithm_unit / count;
}

template <on_host Exec>
double kde_on(const Exec& exec, vector_view<const float> x, vector_view<const float> y, const kde_options& options) {
  require(x.size() == y.size(), "kde: x and y must have the same number of tokens, got ", x.size(), " and ", y.size());
  require_kde("kde", options, x.size());
  require_channel("kde", "x", x, least_kde_tokens);
  require_channel("kde", "y", y, least_kde_tokens);
  const auto tokens = x.size();
  matrix<float> u(2, tokens + 2 * lanes, exec.resource());
  const auto channels = prepare_kernels(
      exec, 2, tokens, 2, true, options, {}, 1, [&](std::int64_t c, std::int64_t t) { return (c == 0 ? x : y)[t]; },
      [&](std::int64_t c, std::int64_t t, float v) { u(c, t) = v; });
  if (channels.constants() > 0) return 0;
  const auto joint = pair_logarithms(&u(0, 0), &u(1, 0), tokens, options.leave_one_out);
  const auto value = kernel_information(joint.logarithms, channels.logarithms(0), channels.logarithms(1), tokens,
                                        options.leave_one_out);
  return options.clip_negative ? std::max(value, 0.0) : value;
}

template <on_host Exec>
kde_result kde_on(const Exec& exec, matrix_view<const float> samples, std::span<const channel_pair> pairs,
                  vector_view<float> mi, const kde_options& options, const progress_callback& progress) {
  require_kde("kde", options, samples.rows());
  require_samples(exec, "kde", samples, least_kde_tokens);
  require_pairs("kde", pairs, samples.columns(), mi);
  const auto tokens = samples.rows();
  const listed_channels listed(pairs, samples.columns(), exec.resource());
  const auto count = listed.count();
  matrix<float> u(count, tokens + 2 * lanes, exec.resource());
  const auto channels = prepare_kernels(
      exec, count, tokens, 2, true, options, progress, 0.1,
      [&](std::int64_t c, std::int64_t t) { return samples(t, listed.column(c)); },
      [&](std::int64_t c, std::int64_t t, float v) { u(c, t) = v; });
  kde_result result;
  result.constant = channels.constants();
  result.few_tokens = tokens < enough_kde_tokens;
  struct alignas(64) counts {
    std::int64_t negative = 0, floored = 0;
  };
  std::pmr::vector<counts> slots(static_cast<std::size_t>(exec.threads()), counts{}, exec.resource());
  for_listed_pairs(exec, pairs, mi, progress, "pairs", 0.1, 1.0,
                   [&](std::int64_t slot, std::int64_t i, std::int64_t j) {
                     const auto a = listed.place(i), b = listed.place(j);
                     if (channels.constant(a) || channels.constant(b)) return 0.0F;
                     auto& own = slots[static_cast<std::size_t>(slot)];
                     const auto joint = pair_logarithms(&u(a, 0), &u(b, 0), tokens, options.leave_one_out);
                     own.floored += joint.floored;
                     return finished_estimate(kernel_information(joint.logarithms, channels.logarithms(a),
                                                                 channels.logarithms(b), tokens, options.leave_one_out),
                                              options.clip_negative, own.negative);
                   });
  for (const auto& own : slots) {
    result.negative += own.negative;
    result.floored += own.floored;
  }
  return result;
}

/// A `kernel_tile` for each thread.
class tiles_of_threads {
 public:
  tiles_of_threads(int threads, std::pmr::memory_resource* resource) : memory_(threads, lines, resource) {
    for (std::int64_t slot = 0; slot < threads; ++slot) new (&memory_(slot, 0)) kernel_tile;
  }
  kernel_tile& operator[](std::int64_t slot) {
    return *std::launder(reinterpret_cast<kernel_tile*>(&memory_(slot, 0)));
  }

 private:
  struct alignas(64) line {
    std::byte bytes[64];
  };
  static constexpr auto lines = static_cast<std::int64_t>(sizeof(kernel_tile) / sizeof(line));
  matrix<line> memory_;
};

template <on_host Exec>
kde_result kde_on(const Exec& exec, matrix_view<const float> samples, matrix_view<float> mi, const kde_options& options,
                  const progress_callback& progress) {
  require_kde("kde", options, samples.rows());
  require_samples(exec, "kde", samples, least_kde_tokens);
  require_mi("kde", samples, mi);
  const auto count = samples.columns(), tokens = samples.rows();
  // Tokens by rows; channels up to a multiple of a vector.
  matrix<float> u(tokens, up_to(count, lanes), exec.resource());
  auto channels = prepare_kernels(
      exec, count, tokens, 2, false, options, progress, 0.01,
      [&](std::int64_t c, std::int64_t t) { return samples(t, c); },
      [&](std::int64_t c, std::int64_t t, float v) { u(t, c) = v; });
  kde_result result;
  result.constant = channels.constants();
  result.few_tokens = tokens < enough_kde_tokens;

  tiles_of_threads tiles(exec.threads(), exec.resource());
  const auto blocks = (count + kernel_block - 1) / kernel_block;
  const auto parts = calibration::detail::upper_blocks_of(blocks);
  const auto share = 0.99 / static_cast<double>(parts);
  std::int64_t done = 0;
  const auto work_on = [&](std::int64_t row_block, std::int64_t column_block) {
    const auto row = row_block * kernel_block, rows = std::min(kernel_block, count - row);
    const auto column = column_block * kernel_block, columns = std::min(kernel_block, count - column);
    for (std::int64_t slot = 0; slot < exec.threads(); ++slot) tiles[slot].clear();
    const auto start = 0.01 + share * static_cast<double>(done++);
    for_each_item(exec, (tokens + token_chunk - 1) / token_chunk, progress, "pairs", start, start + share,
                  [&](std::int64_t slot, std::int64_t item) {
                    for (auto t = item * token_chunk; t < std::min(tokens, (item + 1) * token_chunk); ++t)
                      add_token(tiles[slot], &u(0, row), &u(0, column), u.columns(), rows, columns, tokens, t,
                                options.leave_one_out);
                  });
    const auto sum_of = [&](const auto& value) {
      std::int64_t sum = 0;
      for (std::int64_t slot = 0; slot < exec.threads(); ++slot) sum += value(tiles[slot]);
      return sum;
    };
    if (row == column)
      for (std::int64_t r = 0; r < rows; ++r) {
        mi(row + r, row + r) = 0.0F;
        channels.alone[static_cast<std::size_t>(row + r)].logarithms =
            sum_of([&](const kernel_tile& tile) { return tile.logarithms_alone[r]; });
      }
    for (std::int64_t r = 0; r < rows; ++r)
      for (auto c = row == column ? r + 1 : 0; c < columns; ++c) {
        const auto i = row + r, j = column + c, at = r * kernel_block + c;
        if (channels.constant(i) || channels.constant(j)) {
          mi(i, j) = mi(j, i) = 0.0F;
          continue;
        }
        const auto joint = sum_of([&](const kernel_tile& tile) { return tile.logarithms[at]; });
        result.floored += sum_of([&](const kernel_tile& tile) { return std::int64_t{tile.floored[at]}; });
        mi(i, j) = mi(j, i) = finished_estimate(
            kernel_information(joint, channels.logarithms(i), channels.logarithms(j), tokens, options.leave_one_out),
            options.clip_negative, result.negative);
      }
  };
  // The blocks on the diagonal first, since they give what every channel has alone.
  for (std::int64_t block = 0; block < blocks; ++block) work_on(block, block);
  for (std::int64_t row = 0; row < blocks; ++row)
    for (auto column = row + 1; column < blocks; ++column) work_on(row, column);
  return result;
}

template <on_host Exec>
kde_result kde_entropy_on(const Exec& exec, matrix_view<const float> samples, vector_view<float> entropies,
                          const kde_options& options) {
  require_kde("kde_entropy", options, samples.rows());
  require_samples(exec, "kde_entropy", samples, least_kde_tokens);
  require(entropies.size() == samples.columns(), "kde_entropy: entropies must have ", samples.columns(),
          " elements to match the samples, got ", entropies.size());
  const auto tokens = samples.rows();
  const auto channels = prepare_kernels(
      exec, samples.columns(), tokens, 1, true, options, {}, 1,
      [&](std::int64_t c, std::int64_t t) { return samples(t, c); }, [](std::int64_t, std::int64_t, float) {});
  kde_result result;
  result.constant = channels.constants();
  result.few_tokens = tokens < enough_kde_tokens;
  const auto count = static_cast<double>(tokens), others = options.leave_one_out ? count - 1 : count;
  for (std::int64_t c = 0; c < samples.columns(); ++c) {
    const auto width = channels.widths[static_cast<std::size_t>(c)].width;
    result.floored += channels.alone[static_cast<std::size_t>(c)].floored;
    entropies[c] = static_cast<float>(channels.constant(c)
                                          ? -std::numeric_limits<double>::infinity()
                                          : std::log(others * width) + 0.5 * std::log(2 * std::numbers::pi) -
                                                static_cast<double>(channels.logarithms(c)) * logarithm_unit / count);
  }
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
double kde(const Exec& exec, vector_view<const float, memory_of<Exec>> x, vector_view<const float, memory_of<Exec>> y,
           const kde_options& options) {
  return detail::kde_on(exec, x, y, options);
}

template <executor Exec>
kde_result kde(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples, std::span<const channel_pair> pairs,
               vector_view<float, memory_of<Exec>> mi, const kde_options& options, const progress_callback& progress) {
  return detail::kde_on(exec, samples, pairs, mi, options, progress);
}

template <executor Exec>
kde_result kde(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
               matrix_view<float, memory_of<Exec>> mi, const kde_options& options, const progress_callback& progress) {
  return detail::kde_on(exec, samples, mi, options, progress);
}

template <on_host Exec>
kde_result kde_entropy(const Exec& exec, matrix_view<const float, memory_of<Exec>> samples,
                       vector_view<float, memory_of<Exec>> entropies, const kde_options& options) {
  return detail::kde_entropy_on(exec, samples, entropies, options);
}

}  // namespace miq::information
