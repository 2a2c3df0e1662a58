// Constructed layers with blocks of redundant columns: mutual information finds the blocks, and split into redundant
// members and representatives they gain what the true blocks gain.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <miq/allocation/expected_error.hpp>
#include <miq/allocation/headroom.hpp>
#include <miq/allocation/split_groups.hpp>
#include <miq/calibration/accumulator.hpp>
#include <miq/core/random.hpp>
#include <miq/grouping/agreement.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/representatives.hpp>
#include <miq/information/correlation.hpp>
#include <miq/obs/factor.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/quantization/fit.hpp>
#include <miq/quantization/storage.hpp>
#include "test_support/catch.hpp"

using miq::host_executor;
using miq::matrix;
using miq::grouping::partition;
namespace allocation = miq::allocation;
namespace quantization = miq::quantization;

namespace {

constexpr std::int64_t columns = 256;
constexpr std::int64_t rows = 192;
constexpr std::int64_t tokens = 2048;
const quantization::fit_options fitting{.layout = quantization::grid_layout::per_column,
                                        .range = quantization::range_rule::clip_search};
const std::vector<int> widths{1, 2, 3, 4, 5, 6, 7, 8};
const std::vector<std::int64_t> natural = [] {
  std::vector<std::int64_t> order(columns);
  std::iota(order.begin(), order.end(), 0);
  return order;
}();

/// How the columns of a block hang together.
enum class block_kind {
  equicorrelated,  ///< one factor: every pair has the block's correlation
  copies           ///< one to four independent representatives, the others are noisy copies of one of them
};

/// One way to run the experiment.
struct setting {
  block_kind kind = block_kind::equicorrelated;
  double average = 4;            ///< bits per weight
  bool representatives = false;  ///< swept in the order by representatives of the groups, not in the natural one
  bool widened = true;           ///< grids and expected errors for weights as the sweep finds them
};

/// A layer whose columns, shuffled, form blocks; weights are independent and alike, activations Gaussian of variance 1.
struct layer {
  std::vector<std::int32_t> blocks;  ///< of each column
  std::vector<double> rho;           ///< of each column's block
  miq::calibration::statistics seen;
  matrix<float> hessian{columns, columns};
  matrix<float> weights{rows, columns};
  matrix<double> fitted;  ///< see fitted_errors
};

matrix<double> fitted_errors(const host_executor& exec, const matrix<float>& weights);

layer make_layer(const host_executor& exec, block_kind kind, std::uint64_t seed) {
  miq::random_stream random(seed);
  const std::vector<double> correlations{0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.0};
  // Random widths: 8 columns each, the others fall where they fall, blocks drawn with random shares.
  std::vector<double> shares;
  for (std::size_t b = 0; b < correlations.size(); ++b) shares.push_back(0.3 + random.uniform());
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  layer made;
  for (std::size_t b = 0; b < correlations.size(); ++b)
    made.blocks.insert(made.blocks.end(), 8, static_cast<std::int32_t>(b));
  while (made.blocks.size() < static_cast<std::size_t>(columns)) {
    double point = random.uniform() * total;
    std::size_t b = 0;
    while (b + 1 < shares.size() && point >= shares[b]) point -= shares[b++];
    made.blocks.push_back(static_cast<std::int32_t>(b));
  }
  for (auto k = made.blocks.size(); k > 1; --k) std::swap(made.blocks[k - 1], made.blocks[random.below(k)]);
  for (const auto b : made.blocks) made.rho.push_back(correlations[static_cast<std::size_t>(b)]);

  // Which member of its block each column is; the copies' representatives are the first ones.
  std::vector<std::size_t> member;
  std::vector<std::size_t> seen(correlations.size());
  for (const auto b : made.blocks) member.push_back(seen[static_cast<std::size_t>(b)]++);
  matrix<float> x(tokens, columns);
  std::vector<double> factors(4 * correlations.size());
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (auto& f : factors) f = random.normal();
    for (std::int64_t j = 0; j < columns; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const auto b = static_cast<std::size_t>(made.blocks[at]);
      const auto sources = kind == block_kind::copies ? 1 + b % 4 : std::size_t{1};
      const double factor = factors[4 * b + member[at] % sources];
      const bool is_source = kind == block_kind::copies && member[at] < sources;
      const double known = is_source ? 1 : made.rho[at];
      x(t, j) = static_cast<float>(std::sqrt(known) * factor + std::sqrt(1 - known) * random.normal());
    }
  }
  if (kind == block_kind::copies) {
    std::vector<std::int32_t> first{0};
    for (std::size_t b = 0; b < correlations.size(); ++b)
      first.push_back(first.back() + static_cast<std::int32_t>(1 + b % 4));
    for (std::size_t j = 0; j < made.blocks.size(); ++j) {
      const auto b = std::size_t(made.blocks[j]);
      made.blocks[j] = first[b] + static_cast<std::int32_t>(member[j] % (1 + b % 4));
    }
  }
  miq::calibration::accumulator calibration(columns);
  calibration.add(exec, x);
  made.seen = calibration.finish(exec);
  miq::calibration::hessian(exec, made.seen, made.hessian);
  for (std::int64_t k = 0; k < made.weights.size(); ++k) made.weights.data()[k] = static_cast<float>(random.normal());
  made.fitted = fitted_errors(exec, made.weights);
  return made;
}

/// Squared errors of the grids that are fitted to each column at each width, relative to its mean square.
matrix<double> fitted_errors(const host_executor& exec, const matrix<float>& weights) {
  const auto alone = partition::each_alone(columns);
  matrix<double> errors(columns, static_cast<std::int64_t>(widths.size()));
  for (std::size_t k = 0; k < widths.size(); ++k) {
    const std::vector<std::uint8_t> bits(std::size_t(columns), static_cast<std::uint8_t>(widths[k]));
    const auto grids = quantization::fit_grids(exec, weights, alone.labels(), bits, fitting);
    for (std::int64_t j = 0; j < columns; ++j) {
      double squares = 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        const double w = weights(r, j);
        const auto grid = grids.at(r, j);
        const double e = w - double{quantization::dequantise(quantization::quantise(weights(r, j), grid), grid)};
        errors(j, static_cast<std::int64_t>(k)) += e * e;
        squares += w * w;
      }
      errors(j, static_cast<std::int64_t>(k)) /= squares;
    }
  }
  return errors;
}

/// A layer in an order of its columns.
struct ordered_layer {
  const host_executor& exec;
  const layer& original;
  std::vector<std::int64_t> order;
  matrix<float> upper{columns, columns};
  allocation::column_costs costs;  ///< in the layer's own numbering
  bool widen;

  ordered_layer(const host_executor& where, const layer& source, std::vector<std::int64_t> taken, bool widened)
      : exec(where), original(source), order(std::move(taken)), widen(widened) {
    matrix<float> hessian(columns, columns);
    for (std::int64_t i = 0; i < columns; ++i)
      for (std::int64_t j = 0; j < columns; ++j)
        hessian(i, j) = source.hessian(order[std::size_t(i)], order[std::size_t(j)]);
    miq::obs::factor(exec, hessian, upper, {.rule = miq::obs::damping_rule::own_diagonal});
    costs = allocation::measure_columns(exec, source.weights, upper, {}, order);
  }

  /// Mean squares of the weights as the sweep finds them with these bits.
  std::vector<double> arriving(const std::vector<int>& bits) const {
    std::vector<double> relative;
    for (std::int64_t j = 0; j < columns; ++j) relative.push_back(original.fitted(j, bits[std::size_t(j)] - 1));
    return allocation::arriving_mean_squares(exec, upper, costs.mean_square, relative, order);
  }

  /// Expected loss of each column at each width, for these mean squares.
  matrix<double> errors(const std::vector<double>& mean_square) const {
    matrix<double> squared(columns, static_cast<std::int64_t>(widths.size()));
    for (std::int64_t j = 0; j < columns; ++j)
      for (std::int64_t k = 0; k < squared.columns(); ++k)
        squared(j, k) = static_cast<double>(rows) * mean_square[std::size_t(j)] * original.fitted(j, k);
    const auto alone = partition::each_alone(columns);
    return allocation::expected_errors(costs.conditional_variance, squared, alone.labels(), columns);
  }

  double expected(const std::vector<int>& bits) const {
    const auto losses = errors(widen ? arriving(bits) : costs.mean_square);
    double sum = 0;
    for (std::int64_t j = 0; j < columns; ++j) sum += losses(j, bits[std::size_t(j)] - 1);
    return sum;
  }

  /// The sweep with a grid for every column.
  double measured(const std::vector<int>& bits) const {
    matrix<float> weights(rows, columns);
    matrix<float> widened(rows, columns);
    std::vector<std::uint8_t> grid_bits;
    const auto squares = arriving(bits);
    for (std::int64_t k = 0; k < columns; ++k) {
      const auto j = order[std::size_t(k)];
      const auto wider =
          widen ? static_cast<float>(std::sqrt(squares[std::size_t(j)] / costs.mean_square[std::size_t(j)])) : 1.0F;
      for (std::int64_t r = 0; r < rows; ++r) {
        weights(r, k) = original.weights(r, j);
        widened(r, k) = wider * original.weights(r, j);
      }
      grid_bits.push_back(static_cast<std::uint8_t>(bits[std::size_t(j)]));
    }
    const auto alone = partition::each_alone(columns);
    const auto grids = quantization::fit_grids(exec, widened, alone.labels(), grid_bits, fitting);
    const auto view = grids.view();
    return miq::obs::sweep(exec, {.weights = weights, .upper = upper, .grids = view}, {},
                           {.mask = miq::obs::mask_scope::none})
        .loss;
  }
};

/// Bits beside the codes that groups store: widths and group indices. Scales are per column, the same for all.
double index_bits_of(std::int64_t groups) {
  return groups > 1 && groups < columns ? static_cast<double>(columns * quantization::index_bits(groups)) : 0;
}
double part_bits_of(std::int64_t groups) { return groups > 1 ? 3 : 0; }

/// The best whole bits of given groups within what `average` bits everywhere store.
std::vector<int> best_bits(const ordered_layer& in, const partition& groups, double average) {
  const double budget = average * rows * columns - index_bits_of(groups.groups());
  std::vector<allocation::bit_item> storage;
  for (std::int64_t g = 0; g < groups.groups(); ++g)
    storage.push_back({0, static_cast<double>(rows * groups.size(g)), part_bits_of(groups.groups()), 0});
  const std::vector<double> ones(std::size_t(columns), 2);
  std::vector<int> bits(std::size_t(columns), static_cast<int>(average));
  for (int round = 0; round < (in.widen ? 3 : 1); ++round) {
    const auto columns_errors = in.errors(in.widen ? in.arriving(bits) : in.costs.mean_square);
    const auto errors = allocation::expected_errors(ones, columns_errors, groups.labels(), groups.groups());
    const auto found = allocation::rate_distortion(allocation::bit_curves(errors, widths, storage), budget);
    for (std::size_t j = 0; j < bits.size(); ++j)
      bits[j] = widths[std::size_t(found.chosen[std::size_t(groups.labels()[j])])];
  }
  return bits;
}

partition split(const ordered_layer& in, const partition& groups, double average) {
  const std::vector<allocation::bit_item> storage(std::size_t(columns), {0, rows, 0, 0});
  const auto costs = in.costs.per_weight();
  const auto errors = in.errors(in.costs.mean_square);
  return allocation::split_groups({errors, widths, costs, storage, {0, 0, 3, 0}}, groups,
                                  average * rows * columns - index_bits_of(2 * groups.groups()))
      .groups;
}

/// Groups of the sizes of `like`, over the columns in the given order.
partition same_sizes(const partition& like, const std::vector<std::int64_t>& order) {
  std::vector<std::int32_t> labels(order.size());
  std::size_t next = 0;
  for (std::int64_t g = 0; g < like.groups(); ++g)
    for (std::int64_t k = 0; k < like.size(g); ++k) labels[std::size_t(order[next++])] = static_cast<std::int32_t>(g);
  return partition(labels);
}

/// What the ways to group gain over equal bits, in bits per weight: expected and measured.
struct gain {
  double expected = 0;
  double measured = 0;
};

struct outcome {
  double agreement = 0;  ///< adjusted Rand index, of the columns with rho >= 0.5
  double headroom = 0;
  std::map<std::string, gain> gains;
};

outcome run(const host_executor& exec, const setting& how, std::uint64_t seed) {
  const double average = how.average;
  const auto made = make_layer(exec, how.kind, seed);
  matrix<float> mi(columns, columns);
  miq::information::correlation(exec, made.seen, mi);
  const partition truth(made.blocks);
  const auto found = miq::grouping::group_by_information(exec, mi, {}, {.groups = static_cast<int>(truth.groups())});
  outcome result;
  std::vector<std::int32_t> a;
  std::vector<std::int32_t> b;
  for (std::size_t j = 0; j < made.blocks.size(); ++j)
    if (made.rho[j] >= 0.5) {
      a.push_back(made.blocks[j]);
      b.push_back(found.groups.labels()[j]);
    }
  result.agreement = miq::grouping::adjusted_rand_index(exec, a, b);

  const ordered_layer plain(exec, made, natural, how.widened);
  result.headroom = allocation::headroom(plain.costs.per_weight(), plain.costs.kept).bits;
  const std::vector<int> equal(std::size_t(columns), static_cast<int>(average));
  const double expected = plain.expected(equal);
  const double measured = plain.measured(equal);
  const auto enter = [&](const std::string& name, const ordered_layer& in, const partition& groups) {
    const auto bits = best_bits(in, groups, average);
    auto& entry = result.gains[name];
    entry.expected = 0.5 * std::log2(expected / in.expected(bits));
    entry.measured = 0.5 * std::log2(measured / in.measured(bits));
  };
  const auto enter_both = [&](const std::string& name, const partition& groups) {
    enter(name, plain, groups);
    if (!how.representatives) {
      enter(name + ", split", plain, split(plain, groups, average));
      return;
    }
    const auto order =
        miq::grouping::order_by_representatives(exec, made.hessian, groups, plain.costs.mean_square).order;
    const ordered_layer in(exec, made, order, how.widened);
    enter(name + ", split", in, split(in, groups, average));
  };
  enter_both("true", truth);
  enter_both("mi", found.groups);
  miq::random_stream random(seed + 1);
  auto shuffled = natural;
  for (auto k = shuffled.size(); k > 1; --k) std::swap(shuffled[k - 1], shuffled[random.below(k)]);
  auto descending = natural;
  std::stable_sort(descending.begin(), descending.end(),
                   [&](std::int64_t i, std::int64_t j) { return made.hessian(i, i) > made.hessian(j, j); });
  enter_both("random", same_sizes(found.groups, shuffled));
  enter_both("contiguous", same_sizes(found.groups, natural));
  enter_both("hessian", same_sizes(found.groups, descending));
  // What needs no information: columns ranked by their cost alone, and every column with its own width.
  auto by_cost = natural;
  const auto costs = plain.costs.per_weight();
  std::stable_sort(by_cost.begin(), by_cost.end(),
                   [&](std::int64_t i, std::int64_t j) { return costs[std::size_t(i)] < costs[std::size_t(j)]; });
  enter_both("ranked by cost", same_sizes(partition::contiguous(columns, truth.groups()), by_cost));
  enter_both("one group", partition::single(columns));
  enter("each column", plain, partition::each_alone(columns));
  return result;
}

std::vector<outcome> run_all(const setting& how) {
  const host_executor exec;
  std::vector<outcome> all;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) all.push_back(run(exec, how, seed));
  return all;
}

/// Mean and standard deviation of a number over the layers.
template <class Of>
std::pair<double, double> spread(const std::vector<outcome>& all, Of&& of) {
  double mean = 0;
  for (const auto& one : all) mean += of(one) / static_cast<double>(all.size());
  double squares = 0;
  for (const auto& one : all) squares += (of(one) - mean) * (of(one) - mean);
  return {mean, std::sqrt(squares / static_cast<double>(all.size() - 1))};
}

}  // namespace

TEST_CASE("mutual information finds redundant blocks and gains what the true ones gain", "[allocation]") {
  const auto how =
      GENERATE(setting{}, setting{.average = 3}, setting{.representatives = true}, setting{.kind = block_kind::copies},
               setting{.kind = block_kind::copies, .average = 3, .representatives = true});
  CAPTURE(static_cast<int>(how.kind), how.average, how.representatives);
  const auto all = run_all(how);
  for (const auto& one : all) {
    const auto& gains = one.gains;
    CHECK(one.agreement >= 0.95);
    CHECK(gains.at("mi, split").expected >= 0.8 * gains.at("true, split").expected);
    // At 3 bits with widths from 1 the sweep may lose far more than expected, with the true blocks too: seen with other
    // seeds, see docs/allocation.md.
    if (how.average >= 4) CHECK(gains.at("mi, split").measured >= 0.8 * gains.at("true, split").measured);
    CHECK(gains.at("mi, split").expected > gains.at("mi").expected);
    // Grids exist for whole bits only, and nothing beats the bound of ideal ones, which knows the same layer.
    for (const auto& [name, gain] : gains) {
      CAPTURE(name);
      CHECK(gain.expected < one.headroom);
    }
  }
  // Other groups of the same sizes fall short, split in the same way or not: by two standard errors of the difference,
  // layer by layer, and by a hundredth of a bit.
  for (const std::string control : {"random", "contiguous", "hessian"})
    for (const std::string division : {"", ", split"}) {
      const auto difference = [&](auto&& of) {
        return spread(all, [&](const outcome& one) {
          return of(one.gains.at("mi" + division)) - of(one.gains.at(control + division));
        });
      };
      const double root = std::sqrt(static_cast<double>(all.size()));
      const auto [expected, expected_spread] = difference([](const gain& g) { return g.expected; });
      CAPTURE(control + division, expected, expected_spread);
      CHECK(expected > 0.01);
      CHECK(expected > 2 * expected_spread / root);
      if (how.average < 4) continue;
      const auto [measured, measured_spread] = difference([](const gain& g) { return g.measured; });
      CAPTURE(measured, measured_spread);
      CHECK(measured > 0.01);
      CHECK(measured > 2 * measured_spread / root);
    }
}

TEST_CASE("expected gains are those of the sweep, once grids hold what it makes up", "[allocation]") {
  for (const auto kind : {block_kind::equicorrelated, block_kind::copies}) {
    const auto all = run_all({.kind = kind});
    for (const auto& one : all)
      for (const auto& [name, gain] : one.gains) {
        CAPTURE(name);
        CHECK(gain.measured == Approx(gain.expected).margin(0.05));
      }
  }
}

// The table of docs/allocation.md: run this program with the argument [.table].
TEST_CASE("table of constructed layers", "[.table]") {
  for (const auto kind : {block_kind::equicorrelated, block_kind::copies})
    for (const double average : {4.0, 3.0})
      for (const bool representatives : {false, true})
        for (const bool widened : {true, false}) {
          const setting how{kind, average, representatives, widened};
          const auto all = run_all(how);
          const auto text = [&](auto&& of) {
            const auto [mean, deviation] = spread(all, of);
            char line[64];
            std::snprintf(line, sizeof line, "%.3f +- %.3f", mean, deviation);
            return std::string(line);
          };
          std::printf("\n%s, %.0f bits, %s order, grids %s\nagreement %s, headroom %s\n",
                      kind == block_kind::copies ? "copies" : "equicorrelated", average,
                      representatives ? "representatives'" : "natural", widened ? "widened" : "as fitted",
                      text([](const outcome& o) { return o.agreement; }).c_str(),
                      text([](const outcome& o) { return o.headroom; }).c_str());
          for (const auto& entry : all[0].gains) {
            const auto& name = entry.first;
            const auto share = [&](const outcome& o) {
              return o.gains.at(name).expected / o.gains.at("true, split").expected;
            };
            std::printf("%-24s expected %s | measured %s | of true, split %s\n", name.c_str(),
                        text([&](const outcome& o) { return o.gains.at(name).expected; }).c_str(),
                        text([&](const outcome& o) { return o.gains.at(name).measured; }).c_str(), text(share).c_str());
          }
        }
}
