#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory_resource>
#include <tuple>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/information/class_information.hpp>
#include <miq/information/detail/knn/digamma_table.hpp>
#include <miq/information/detail/samples/samples.hpp>

namespace miq::information {
namespace detail {
inline namespace MIQ_INSTRUCTION_SET {

/// The labels that occur more than once, numbered in their order, and the tokens that have them.
struct label_classes {
  explicit label_classes(std::pmr::memory_resource* resource) : token(resource), members(resource), number(resource) {}

  std::pmr::vector<std::int32_t> token;    // of those in use, in the order of the label, then of the token
  std::pmr::vector<std::int32_t> members;  // of a class
  std::pmr::vector<std::int32_t> number;   // of the class of each token in `token`
};

inline label_classes classes_of(vector_view<const std::int32_t> labels, std::pmr::memory_resource* resource) {
  label_classes result(resource);
  std::pmr::vector<std::int32_t> order(static_cast<std::size_t>(labels.size()), resource);
  for (std::size_t t = 0; t < order.size(); ++t) order[t] = static_cast<std::int32_t>(t);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return labels[a] < labels[b]; });
  for (std::size_t p = 0, first = 0; p <= order.size(); ++p)
    if (p == order.size() || labels[order[p]] != labels[order[first]]) {
      if (p - first > 1) {
        for (auto q = first; q < p; ++q) {
          result.token.push_back(order[q]);
          result.number.push_back(static_cast<std::int32_t>(result.members.size()));
        }
        result.members.push_back(static_cast<std::int32_t>(p - first));
      }
      first = p;
    }
  return result;
}

/// A value of a channel, and the class of its token.
struct class_value {
  double value = 0;
  std::int32_t number = 0;
};

/// Memory of one thread.
struct class_scratch {
  class_scratch(std::int64_t tokens, std::int64_t classes, std::pmr::memory_resource* resource)
      : points(static_cast<std::size_t>(tokens), resource),
        sorted(static_cast<std::size_t>(tokens), resource),
        own(static_cast<std::size_t>(tokens), resource),
        filled(static_cast<std::size_t>(classes), resource) {}

  std::pmr::vector<class_value> points;
  std::pmr::vector<double> sorted, own;
  std::pmr::vector<std::int64_t> filled;
  std::int64_t constant = 0, tied = 0, negative = 0;
};

/// Sorts the points, and spreads those of equal value; those of equal class come together before that, so that it does
/// not matter which is which. Returns whether there were any.
inline bool sort_and_spread(std::pmr::vector<class_value>& points, const class_information_options& options) {
  const auto by_value = [](const class_value& a, const class_value& b) {
    return a.value < b.value || (a.value == b.value && a.number < b.number);
  };
  std::sort(points.begin(), points.end(), by_value);
  const double shift = points[points.size() / 2].value, count = static_cast<double>(points.size());
  double mean = 0, square = 0;
  for (const auto& p : points) mean += (p.value - shift) / count;
  for (const auto& p : points) square += (p.value - shift - mean) * (p.value - shift - mean);
  const auto width = static_cast<double>(options.noise) * std::sqrt(square / count);
  bool ties = false;
  for (std::size_t p = 0, first = 0; p <= points.size(); ++p)
    if (p == points.size() || points[p].value != points[first].value) {
      ties = ties || p - first > 1;
      const auto stream = random_hash(options.seed, first);
      for (auto q = first; p - first > 1 && q < p; ++q)
        points[q].value += (static_cast<double>(random_hash(stream, q - first) >> 11) * 0x1.0p-53 - 0.5) * width;
      first = p;
    }
  if (ties) std::sort(points.begin(), points.end(), by_value);
  return ties;
}

/// The estimate from sorted points.
inline double ross_information(const label_classes& classes, std::int64_t neighbours, const digamma_table& digamma,
                               class_scratch& scratch) {
  const auto count = static_cast<std::int64_t>(scratch.points.size());
  // The sorted values of each class, class by class.
  std::int64_t start = 0;
  for (std::size_t c = 0; c < classes.members.size(); ++c) {
    scratch.filled[c] = start;
    start += classes.members[c];
  }
  for (std::size_t p = 0; p < scratch.points.size(); ++p) {
    const auto [value, number] = scratch.points[p];
    scratch.sorted[p] = value;
    scratch.own[static_cast<std::size_t>(scratch.filled[static_cast<std::size_t>(number)]++)] = value;
  }
  const auto* const all = scratch.sorted.data();
  std::int64_t sum = 0;
  start = 0;
  for (const std::int64_t members : classes.members) {
    const auto* const own = scratch.own.data() + start;
    start += members;
    const auto k = std::min(neighbours, members - 1);
    for (std::int64_t p = 0; p < members; ++p) {
      const auto here = own[p];
      auto reach = std::numeric_limits<double>::infinity();
      for (auto low = std::max<std::int64_t>(0, p - k); low <= std::min(p, members - 1 - k); ++low)
        reach = std::min(reach, std::max(here - own[low], own[low + k] - here));
      auto used = k;
      const double *from = nullptr, *to = nullptr;
      if (reach > 0) {  // counted are |d| < reach
        from = std::partition_point(all, all + count, [&](double v) { return here - v >= reach; });
        to = std::partition_point(from, all + count, [&](double v) { return v - here < reach; });
      } else {
        const auto equal = std::equal_range(own, own + members, here);
        used = equal.second - equal.first;
        std::tie(from, to) = std::equal_range(all, all + count, here);
      }
      sum += digamma[used] - digamma[members] - digamma[to - from];
    }
  }
  return static_cast<double>(digamma[count]) * digamma_table::unit +
         static_cast<double>(sum) * digamma_table::unit / static_cast<double>(count);
}

template <on_host Exec>
class_information_result class_information_on(const Exec& exec, vector_view<const std::int32_t> labels,
                                              matrix_view<const float> samples, vector_view<float> mi,
                                              const class_information_options& options,
                                              const progress_callback& progress) {
  const char* const name = "class_information";
  constexpr std::int64_t most_tokens = std::int64_t{1} << 24;
  require(options.neighbours >= 1, name, ": neighbours must be at least 1, got ", options.neighbours);
  require(options.noise >= 0 && options.noise <= 1, name, ": noise must be from 0 to 1 deviations, got ",
          options.noise);
  require(samples.rows() <= most_tokens, name, ": samples must hold at most ", most_tokens, " tokens, got ",
          samples.rows());
  require_samples(exec, name, samples, 2);
  require(labels.size() == samples.rows(), name, ": labels must have ", samples.rows(),
          " elements to match the samples, got ", labels.size());
  require(mi.size() == samples.columns(), name, ": mi must have ", samples.columns(),
          " elements to match the samples, got ", mi.size());

  const auto classes = classes_of(labels, exec.resource());
  const auto count = static_cast<std::int64_t>(classes.token.size());
  class_information_result result;
  result.classes = static_cast<std::int64_t>(classes.members.size());
  result.left_out = samples.rows() - count;
  result.few_tokens = count < std::max<std::int64_t>(100, 20 * result.classes);
  const digamma_table digamma(count + 1, exec.resource());
  std::pmr::vector<class_scratch> scratch(exec.resource());
  scratch.reserve(static_cast<std::size_t>(exec.threads()));
  for (int i = 0; i < exec.threads(); ++i) scratch.emplace_back(count, result.classes, exec.resource());
  for_each_item(exec, samples.columns(), progress, "channels", 0, 1, [&](std::int64_t slot, std::int64_t c) {
    auto& own = scratch[static_cast<std::size_t>(slot)];
    mi[c] = 0.0F;
    bool constant = true;
    for (std::size_t p = 0; p < own.points.size(); ++p) {
      own.points[p] = {static_cast<double>(samples(classes.token[p], c)), classes.number[p]};
      constant = constant && own.points[p].value == own.points[0].value;
    }
    if (constant) {
      ++own.constant;
      return;
    }
    own.tied += sort_and_spread(own.points, options) ? 1 : 0;
    if (result.classes < 2) return;
    mi[c] = finished_estimate(ross_information(classes, options.neighbours, digamma, own), options.clip_negative,
                              own.negative);
  });
  for (const auto& own : scratch) {
    result.constant += own.constant;
    result.tied += own.tied;
    result.negative += own.negative;
  }
  return result;
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace detail

template <executor Exec>
class_information_result class_information(const Exec& exec, vector_view<const std::int32_t, memory_of<Exec>> labels,
                                           matrix_view<const float, memory_of<Exec>> samples,
                                           vector_view<float, memory_of<Exec>> mi,
                                           const class_information_options& options,
                                           const progress_callback& progress) {
  return detail::class_information_on(exec, labels, samples, mi, options, progress);
}

}  // namespace miq::information
