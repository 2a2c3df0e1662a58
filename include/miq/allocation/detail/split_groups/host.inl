#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <miq/allocation/detail/expected_error/checks.hpp>
#include <miq/allocation/expected_error.hpp>
#include <miq/allocation/split_groups.hpp>
#include <miq/core/matrix.hpp>

namespace miq::allocation {
namespace detail {

/// One way to store a group: its first `cut` columns in one width, the others, if any, in another.
struct group_cut {
  std::int64_t cut;
  std::size_t cheap;
  std::size_t dear;
};

inline void require_split(const split_inputs& in, const grouping::partition& groups) {
  using miq::detail::require;
  const auto c = in.errors.rows();
  require_errors("split_groups", "errors", in.errors);
  require_widths("split_groups", in.widths, 16);
  require(!in.widths.empty() && static_cast<std::int64_t>(in.widths.size()) == in.errors.columns(),
          "split_groups: widths must hold ", in.errors.columns(), " numbers to match errors, at least 1, got ",
          in.widths.size());
  for (std::size_t k = 1; k < in.widths.size(); ++k)
    require(in.widths[k - 1] < in.widths[k], "split_groups: widths must ascend, got ", in.widths[k - 1], " before ",
            in.widths[k]);
  require(static_cast<std::int64_t>(in.costs.size()) == c && static_cast<std::int64_t>(in.columns.size()) == c &&
              groups.columns() == c,
          "split_groups: costs, columns and groups must be of the ", c, " columns of errors, got ", in.costs.size(),
          ", ", in.columns.size(), " and ", groups.columns());
  for (std::size_t j = 0; j < in.costs.size(); ++j) {
    const auto& item = in.columns[j];
    require(std::isfinite(in.costs[j]), "split_groups: cost of column ", j, " must be finite, got ", in.costs[j]);
    require(item.weights >= 0 && item.fixed_bits >= 0 && item.bits_per_bit >= 0, "split_groups: counts of column ", j,
            " must not be negative");
  }
  require(in.part.fixed_bits >= 0 && in.part.bits_per_bit >= 0, "split_groups: counts of part must not be negative");
}

/// The options of one group, by running sums over its ranked columns.
class group_cuts {
 public:
  group_cuts(const split_inputs& in, std::span<const std::int64_t> ranked)
      : in_(in),
        n_(static_cast<std::int64_t>(ranked.size())),
        errors_(n_ + 1, in.errors.columns()),
        storage_(n_ + 1, 2) {
    for (std::int64_t i = 0; i < n_; ++i) {
      const auto j = ranked[static_cast<std::size_t>(i)];
      const auto& column = in.columns[static_cast<std::size_t>(j)];
      for (std::int64_t k = 0; k < errors_.columns(); ++k) errors_(i + 1, k) = errors_(i, k) + in.errors(j, k);
      storage_(i + 1, 0) = storage_(i, 0) + column.fixed_bits;
      storage_(i + 1, 1) = storage_(i, 1) + (column.weights + column.bits_per_bit);
    }
  }

  void add_to(std::vector<rate_option>& options, std::vector<group_cut>& cuts) const {
    const auto widths = in_.widths.size();
    for (std::size_t k = 0; k < widths; ++k) add({n_, k, k}, options, cuts);
    for (std::int64_t cut = 1; cut < n_; ++cut)
      for (std::size_t a = 0; a < widths; ++a)
        for (auto b = a + 1; b < widths; ++b) add({cut, a, b}, options, cuts);
  }

 private:
  double bits_of(std::int64_t from, std::int64_t to, std::size_t width) const {
    return in_.part.fixed_bits + (storage_(to, 0) - storage_(from, 0)) +
           in_.widths[width] * (in_.part.bits_per_bit + (storage_(to, 1) - storage_(from, 1)));
  }

  void add(const group_cut& cut, std::vector<rate_option>& options, std::vector<group_cut>& cuts) const {
    double bits = bits_of(0, cut.cut, cut.cheap);
    double error = errors_(cut.cut, static_cast<std::int64_t>(cut.cheap));
    if (cut.cut < n_) {
      const auto dear = static_cast<std::int64_t>(cut.dear);
      bits += bits_of(cut.cut, n_, cut.dear);
      error += std::max(0.0, errors_(n_, dear) - errors_(cut.cut, dear));
    }
    options.push_back({std::ceil(bits), error});
    cuts.push_back(cut);
  }

  const split_inputs& in_;
  std::int64_t n_;
  matrix<double> errors_;   // sums over the columns before each place
  matrix<double> storage_;  // of fixed bits, and of bits for every bit of width
};

}  // namespace detail

MIQ_API split_result split_groups(const split_inputs& in, const grouping::partition& groups, double budget_bits,
                                  const rate_distortion_options& options) {
  detail::require_split(in, groups);
  std::vector<std::vector<std::int64_t>> ranked;
  std::vector<std::vector<detail::group_cut>> cuts(static_cast<std::size_t>(groups.groups()));
  rate_curves curves;
  std::vector<rate_option> ways;
  for (std::int64_t g = 0; g < groups.groups(); ++g) {
    const auto members = groups.members(g);
    auto& order = ranked.emplace_back(members.begin(), members.end());
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return in.costs[static_cast<std::size_t>(a)] < in.costs[static_cast<std::size_t>(b)];
    });
    ways.clear();
    detail::group_cuts(in, order).add_to(ways, cuts[static_cast<std::size_t>(g)]);
    curves.add(ways);
  }
  split_result result;
  result.choice = rate_distortion(curves, budget_bits, options);
  std::vector<std::int32_t> labels(in.costs.size());
  for (std::size_t g = 0; g < ranked.size(); ++g) {
    const auto& cut = cuts[g][static_cast<std::size_t>(result.choice.chosen[g])];
    const auto n = static_cast<std::int64_t>(ranked[g].size());
    for (std::int64_t i = 0; i < n; ++i) {
      if (i == 0 || i == cut.cut) {
        result.parents.push_back(static_cast<std::int32_t>(g));
        result.bits.push_back(in.widths[i == 0 ? cut.cheap : cut.dear]);
      }
      labels[static_cast<std::size_t>(ranked[g][static_cast<std::size_t>(i)])] =
          static_cast<std::int32_t>(result.bits.size()) - 1;
    }
  }
  result.groups = grouping::partition(std::move(labels));
  return result;
}

}  // namespace miq::allocation
