// `histogram` of the device on the host: the same steps on a machine of plain loops, on one lane and on threads,
// against the definitions in long double, against NumPy's and scikit-learn's numbers, and the host.
#include <miq/information/detail/histogram/schedule.hpp>

#include <cstring>
#include <limits>
#include <map>
#include <memory>

#include "histogram_reference.hpp"
#include "histogram_rules.hpp"
#include "information/support.hpp"
#include "reference_channels.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using namespace miq::information;
using namespace miq_test;
namespace body = miq::information::detail;
using miq::matrix;
using miq::matrix_view;
using real = long double;

constexpr float nonsense = -7.0F;
const miq::host_executor two({.threads = 2});

struct outcome {
  matrix<float> mi;
  histogram_result result;
};

/// `pieces`: sorts so many channels at a time, 0 as many as fit.
outcome run_all(matrix_view<const float> x, const histogram_options& options, std::int32_t lanes = 0,
                std::int64_t pieces = 0) {
  const auto c = x.columns();
  outcome out{matrix<float>(c, c + 3, nonsense), {}};
  body::histogram_plan plan(x.rows(), c, options, true);
  if (pieces > 0) plan.sorting.channels_at_once = pieces;
  const nonsense_memory block(plan.layout);
  const host_machine machine(lanes);
  body::histogram_of_all(machine, plan, block, x, matrix_view<float>(out.mi.data(), c, c, c + 3), options, &out.result);
  for (std::int64_t i = 0; i < c; ++i) {
    REQUIRE(out.mi(i, i) == 0.0F);
    for (std::int64_t j = 0; j < i; ++j) REQUIRE(std::memcmp(&out.mi(i, j), &out.mi(j, i), sizeof(float)) == 0);
    for (std::int64_t j = c; j < c + 3; ++j) REQUIRE(out.mi(i, j) == nonsense);
  }
  return out;
}

std::vector<float> run_list(matrix_view<const float> x, const std::vector<channel_pair>& pairs,
                            const histogram_options& options, std::int32_t lanes, histogram_result& result) {
  const body::histogram_plan plan(x.rows(), x.columns(), options, false);
  const nonsense_memory block(plan.layout);
  const host_machine machine(lanes);
  std::vector<float> mi(pairs.size(), nonsense);
  body::histogram_of_list(machine, plan, block, x, miq::vector_view<const channel_pair>(pairs),
                          miq::vector_view<float>(mi), options, &result);
  return mi;
}

std::vector<float> run_entropies(matrix_view<const float> x, const histogram_options& options, bool differential) {
  const body::histogram_plan plan(x.rows(), x.columns(), options, false);
  const nonsense_memory block(plan.layout);
  const host_machine machine;
  histogram_result result;
  std::vector<float> out(static_cast<std::size_t>(x.columns()), nonsense);
  const auto of = body::bin_channels_by_bodies(machine, "", plan, block, x, options, &result);
  machine.launch("", body::histogram_entropy_body{of, options.estimator, differential, out.data()});
  return out;
}

/// Bins of a channel, from the definitions.
struct bins_of_channel {
  std::vector<int> of_token;
  int bins = 1;
};

bins_of_channel define_bins(matrix_view<const float> x, std::int64_t c, const histogram_options& options) {
  const auto tokens = x.rows();
  std::vector<real> sorted;
  for (std::int64_t t = 0; t < tokens; ++t) sorted.push_back(static_cast<real>(x(t, c)));
  const auto values = sorted;
  std::sort(sorted.begin(), sorted.end());
  const auto low = sorted.front(), high = sorted.back();
  bins_of_channel out;
  out.of_token.resize(static_cast<std::size_t>(tokens));
  if (low == high) return out;
  const auto n = static_cast<real>(tokens);
  const auto quartile = [&](real share) {
    const auto place = share * (n - 1);
    const auto below = static_cast<std::size_t>(std::floor(place));
    const auto above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
  };
  const auto sturges = std::ceil(std::log2(n) + 1);
  real wanted = options.bins;
  if (options.rule == bin_count_rule::square_root) wanted = std::ceil(std::sqrt(n));
  if (options.rule == bin_count_rule::sturges) wanted = sturges;
  if (options.rule == bin_count_rule::freedman_diaconis) {
    const auto spread = quartile(0.75L) - quartile(0.25L);
    wanted = spread == 0 ? sturges : std::ceil((high - low) / (2 * spread / std::cbrt(n)));
  }
  out.bins = static_cast<int>(std::min<real>(std::max<real>(wanted, 2), options.max_bins));
  for (std::size_t t = 0; t < values.size(); ++t) {
    if (options.edges == bin_edges::equal_frequency) {
      const auto lower = std::lower_bound(sorted.begin(), sorted.end(), values[t]) - sorted.begin();
      const auto upper = std::upper_bound(sorted.begin(), sorted.end(), values[t]) - sorted.begin();
      out.of_token[t] = static_cast<int>(out.bins * (lower + upper) / (2 * tokens));
    } else {
      // The last bin whose left edge is not above the value; edges as NumPy's linspace makes them, in double.
      const double step = (static_cast<double>(high) - static_cast<double>(low)) / out.bins;
      int k = 0;
      for (int e = 1; e < out.bins; ++e) {
        const volatile double offset = step * e;
        if (static_cast<double>(values[t]) >= static_cast<double>(low) + offset) k = e;
      }
      out.of_token[t] = k;
    }
  }
  return out;
}

real entropy_of(const std::map<std::pair<int, int>, int>& cells, std::size_t tokens, real all_cells,
                entropy_estimator how) {
  const auto n = static_cast<real>(tokens);
  real shrink = 0;
  if (how == entropy_estimator::james_stein) {
    real squares = 0;
    for (const auto& [cell, count] : cells) squares += (count / n) * (count / n);
    const auto away = squares - 1 / all_cells;
    shrink = away > 0 ? std::min<real>(1, std::max<real>(0, (1 - squares) / ((n - 1) * away))) : 1;
  }
  real sum = 0;
  for (const auto& [cell, count] : cells) {
    const auto p = shrink / all_cells + (1 - shrink) * (count / n);
    if (p > 0) sum -= p * std::log(p);
  }
  if (shrink > 0) {
    const auto p = shrink / all_cells;
    sum -= (all_cells - static_cast<real>(cells.size())) * p * std::log(p);
  }
  return how == entropy_estimator::miller_madow ? sum + (static_cast<real>(cells.size()) - 1) / (2 * n) : sum;
}

/// Of a pair with James-Stein, the joint cells are shrunk, and the margins are those of the shrunk cells.
real define_information(const bins_of_channel& a, const bins_of_channel& b, entropy_estimator how) {
  if (a.bins == 1 || b.bins == 1) return 0;
  const auto tokens = a.of_token.size();
  std::map<std::pair<int, int>, int> joint, of_a, of_b;
  for (std::size_t t = 0; t < tokens; ++t) {
    ++joint[{a.of_token[t], b.of_token[t]}];
    ++of_a[{a.of_token[t], 0}];
    ++of_b[{b.of_token[t], 0}];
  }
  if (how != entropy_estimator::james_stein)
    return entropy_of(of_a, tokens, a.bins, how) + entropy_of(of_b, tokens, b.bins, how) -
           entropy_of(joint, tokens, real(a.bins) * b.bins, how);
  const auto n = static_cast<real>(tokens), all = real(a.bins) * b.bins;
  real squares = 0;
  for (const auto& [cell, count] : joint) squares += (count / n) * (count / n);
  const auto away = squares - 1 / all;
  const auto shrink = away > 0 ? std::min<real>(1, std::max<real>(0, (1 - squares) / ((n - 1) * away))) : real(1);
  real sum = 0;
  for (int i = 0; i < a.bins; ++i)
    for (int j = 0; j < b.bins; ++j) {
      const auto count = [](const auto& cells, std::pair<int, int> at) {
        const auto found = cells.find(at);
        return found == cells.end() ? real(0) : real(found->second);
      };
      const auto p = shrink / all + (1 - shrink) * count(joint, {i, j}) / n;
      const auto p_a = shrink / a.bins + (1 - shrink) * count(of_a, {i, 0}) / n;
      const auto p_b = shrink / b.bins + (1 - shrink) * count(of_b, {j, 0}) / n;
      if (p > 0) sum += p * std::log(p / (p_a * p_b));
    }
  return sum;
}

/// Normal ones, a rectified one, a constant, whole numbers, a copy, and one with a far outlier.
matrix<float> mixed_channels(std::int64_t tokens, std::int64_t channels) {
  auto x = normal_tokens(tokens, channels, seed());
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (channels > 1) x(t, 1) = std::max(x(t, 1), 0.0F);
    if (channels > 2) x(t, 2) = 3;
    if (channels > 3) x(t, 3) = std::floor(2 * x(t, 3));
    if (channels > 5) x(t, 5) = x(t, 0);
    if (channels > 6 && t == tokens / 2) x(t, 6) = 1e6F;
    if (channels > 7) x(t, 7) = x(t, 7) > 0 ? 0.0F : -0.0F;  // one value
  }
  return x;
}

void check_all(matrix_view<const float> x, const histogram_options& options, const outcome& got) {
  std::vector<bins_of_channel> bins;
  for (std::int64_t c = 0; c < x.columns(); ++c) bins.push_back(define_bins(x, c, options));
  matrix<float> host(x.columns(), x.columns());
  const auto expected = histogram(two, x, host.view(), options);
  CHECK(got.result.constant == expected.constant);
  CHECK(got.result.negative == expected.negative);
  CHECK(got.result.few_tokens == expected.few_tokens);
  CHECK(got.result.most_bins == expected.most_bins);
  CHECK(got.result.capped == expected.capped);
  CHECK(got.result.spreadless == expected.spreadless);
  CHECK(got.result.not_finite == 0);
  for (std::int64_t i = 0; i < x.columns(); ++i)
    for (auto j = i + 1; j < x.columns(); ++j) {
      CAPTURE(i, j);
      auto value =
          define_information(bins[static_cast<std::size_t>(i)], bins[static_cast<std::size_t>(j)], options.estimator);
      if (options.clip_negative) value = std::max<real>(value, 0);
      REQUIRE(static_cast<double>(got.mi(i, j)) == Approx(static_cast<double>(value)).epsilon(0x1.1p-24).margin(1e-13));
      REQUIRE(static_cast<double>(got.mi(i, j)) ==
              Approx(static_cast<double>(host(i, j))).epsilon(0x1p-23).margin(1e-14));
    }
}

}  // namespace

TEST_CASE("the device's histogram gives the definition, whatever the sizes", "[histogram][body]") {
  const auto tokens = GENERATE(2, 3, 15, 16, 17, 127, 128, 129, 500);
  const auto channels = GENERATE(1, 2, 5, 9, 33);
  const auto x = mixed_channels(tokens, channels);
  const histogram_options options{.bins = GENERATE(2, 5)};
  check_all(x, options, run_all(x, options));
}

TEST_CASE("the device's histogram gives the definition, whatever the options", "[histogram][body]") {
  const auto edges = GENERATE(bin_edges::equal_width, bin_edges::equal_frequency);
  const auto rule = GENERATE(bin_count_rule::fixed, bin_count_rule::square_root, bin_count_rule::sturges,
                             bin_count_rule::freedman_diaconis);
  if (edges == bin_edges::equal_frequency && rule == bin_count_rule::freedman_diaconis) return;
  const auto how =
      GENERATE(entropy_estimator::plug_in, entropy_estimator::miller_madow, entropy_estimator::james_stein);
  const auto x = mixed_channels(300, 10);
  const histogram_options options{.edges = edges,
                                  .rule = rule,
                                  .bins = 16,
                                  .max_bins = 20,
                                  .estimator = how,
                                  .clip_negative = GENERATE(false, true)};
  check_all(x, options, run_all(x, options));
}

TEST_CASE("the device's histogram gives NumPy's and scikit-learn's numbers", "[histogram][body]") {
  const auto x = reference_channels();
  for (const auto& expected : histogram_reference)
    for (const auto how :
         {entropy_estimator::plug_in, entropy_estimator::miller_madow, entropy_estimator::james_stein}) {
      auto options = options_of(expected.rule);
      options.estimator = how;
      INFO("rule " << expected.rule << ", estimator " << static_cast<int>(how));
      const auto got = run_all(x, options);
      CHECK(got.result.most_bins == *std::max_element(std::begin(expected.bins), std::end(expected.bins)));
      int pair = 0;
      for (std::int64_t i = 0; i < 5; ++i)
        for (std::int64_t j = i + 1; j < 5; ++j, ++pair)
          CHECK(static_cast<double>(got.mi(i, j)) ==
                Approx(expected.information[pair][static_cast<int>(how)]).epsilon(1e-7).margin(1e-9));
    }
}

TEST_CASE("the device's histogram has more than one panel", "[histogram][body]") {
  // 256 bins: 16 channels a panel.
  const histogram_options options{.bins = 256};
  const auto x = mixed_channels(40, GENERATE(16, 17, 35));
  const body::histogram_plan plan(x.rows(), x.columns(), options, true);
  CHECK(plan.panel_channels == 16);
  check_all(x, options, run_all(x, options));
}

TEST_CASE("the device's histogram on threads gives the same bits", "[histogram][body]") {
  const auto edges = GENERATE(bin_edges::equal_width, bin_edges::equal_frequency);
  const auto how = GENERATE(entropy_estimator::miller_madow, entropy_estimator::james_stein);
  const auto x = mixed_channels(60, 9);
  const histogram_options options{.edges = edges, .bins = 4, .estimator = how};
  const auto one = run_all(x, options), eight = run_all(x, options, 8);
  CHECK(same_bits(one.mi.view(), eight.mi.view()));
  CHECK(one.result.negative == eight.result.negative);
  if (edges == bin_edges::equal_frequency)
    CHECK(same_bits(one.mi.view(), run_all(x, options, 0, GENERATE(1, 2, 4)).mi.view()));
  CHECK(one.result.constant == eight.result.constant);
  CHECK(one.result.most_bins == eight.result.most_bins);
  const std::vector<channel_pair> pairs{{0, 1}, {6, 3}, {4, 4}, {8, 0}};
  histogram_result a, b;
  const auto from_one = run_list(x, pairs, options, 0, a), from_eight = run_list(x, pairs, options, 8, b);
  CHECK(same_bits(from_one, from_eight));
}

TEST_CASE("listed pairs of the device's histogram have the bits of all pairs", "[histogram][body]") {
  const auto how =
      GENERATE(entropy_estimator::plug_in, entropy_estimator::miller_madow, entropy_estimator::james_stein);
  const auto bins = GENERATE(3, 90, 256);  // 256: two goes
  const auto x = mixed_channels(200, 9);
  const histogram_options options{.bins = bins, .estimator = how};
  const auto all = run_all(x, options);
  std::vector<channel_pair> pairs;
  for (std::int64_t i = 0; i < 9; ++i)
    for (std::int64_t j = 0; j < 9; ++j) pairs.push_back({i, j});
  pairs.push_back({0, 9});
  pairs.push_back({-1, 0});
  histogram_result result;
  const auto got = run_list(x, pairs, options, 0, result);
  for (std::size_t p = 0; p < 81; ++p) REQUIRE(got[p] == all.mi(pairs[p].first, pairs[p].second));
  CHECK((std::isnan(got[81]) && std::isnan(got[82])));
  CHECK(result.constant == all.result.constant);
}

TEST_CASE("channels that are not finite are counted, and NaN in the device's histogram", "[histogram][body]") {
  auto x = mixed_channels(100, 10);
  x(50, 4) = std::numeric_limits<float>::quiet_NaN();
  x(99, 2) = std::numeric_limits<float>::infinity();
  for (std::int64_t t = 0; t < 100; ++t) x(t, 8) = -std::numeric_limits<float>::infinity();
  const histogram_options options{.edges = GENERATE(bin_edges::equal_width, bin_edges::equal_frequency)};
  const auto got = run_all(x, options, GENERATE(0, 8));
  CHECK(got.result.not_finite == 3);
  CHECK(got.result.constant == 1);
  auto clean = x;
  for (const std::int64_t c : {2, 4, 8})
    for (std::int64_t t = 0; t < 100; ++t) clean(t, c) = 1;
  const auto expected = run_all(clean, options);
  for (std::int64_t i = 0; i < 10; ++i)
    for (std::int64_t j = i + 1; j < 10; ++j) {
      const bool bad = i == 2 || i == 4 || i == 8 || j == 2 || j == 4 || j == 8;
      REQUIRE(std::isnan(got.mi(i, j)) == bad);
      if (!bad) REQUIRE(got.mi(i, j) == expected.mi(i, j));
    }
  const auto entropies = run_entropies(x, options, false);
  CHECK((std::isnan(entropies[2]) && std::isnan(entropies[4]) && std::isnan(entropies[8])));
}

TEST_CASE("entropies of the device's histogram are the host's", "[histogram][body]") {
  const auto how =
      GENERATE(entropy_estimator::plug_in, entropy_estimator::miller_madow, entropy_estimator::james_stein);
  const bool differential = GENERATE(false, true);
  const auto x = mixed_channels(300, 9);
  const histogram_options options{.estimator = how};
  const auto got = run_entropies(x, options, differential);
  std::vector<float> host(9);
  histogram_entropy(two, x, host, options,
                    differential ? histogram_entropy_kind::differential : histogram_entropy_kind::discrete);
  for (std::size_t c = 0; c < 9; ++c) {
    if (!std::isfinite(host[c])) {
      REQUIRE(got[c] == host[c]);
      continue;
    }
    REQUIRE(static_cast<double>(got[c]) == Approx(static_cast<double>(host[c])).epsilon(0x1p-23).margin(1e-14));
    const auto bins = define_bins(x, static_cast<std::int64_t>(c), options);
    std::map<std::pair<int, int>, int> cells;
    for (const auto k : bins.of_token) ++cells[{k, 0}];
    auto expected = entropy_of(cells, 300, bins.bins, how);
    if (differential) {
      real low = 1e30L, high = -1e30L;
      for (std::int64_t t = 0; t < 300; ++t) {
        low = std::min(low, static_cast<real>(x(t, static_cast<std::int64_t>(c))));
        high = std::max(high, static_cast<real>(x(t, static_cast<std::int64_t>(c))));
      }
      expected += std::log((high - low) / bins.bins);
    }
    REQUIRE(static_cast<double>(got[c]) == Approx(static_cast<double>(expected)).epsilon(0x1.1p-24).margin(1e-13));
  }
}

TEST_CASE("the one-hot bytes of codes are exact for all 256 codes", "[histogram][body]") {
  const std::int64_t tokens = 300, channels = 3;
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(channels * 304), 0);
  miq::random_stream random(seed());
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t t = 0; t < tokens; ++t)
      codes[static_cast<std::size_t>(c * 304 + t)] =
          static_cast<std::uint8_t>(t < 256 ? t : static_cast<std::int64_t>(random.below(256)));
  body::device_channels of;
  of.tokens = tokens;
  of.channels = channels;
  of.slots = 256;
  of.leading = 304;
  of.codes = codes.data();
  std::vector<std::int8_t> out(static_cast<std::size_t>(4 * 256 * 304), 77);
  host_machine(GENERATE(0, 8)).launch("", body::one_hot_body{of, 1, 4, out.data()});
  for (std::int64_t c = 0; c < 4; ++c)
    for (std::int64_t a = 0; a < 256; ++a)
      for (std::int64_t t = 0; t < 304; ++t) {
        const bool there = c + 1 < channels && t < tokens;
        const bool has = there && codes[static_cast<std::size_t>((c + 1) * 304 + t)] == a;
        if (out[static_cast<std::size_t>((c * 256 + a) * 304 + t)] != (has ? 1 : 0)) FAIL("row of code " << a);
      }
}

TEST_CASE("the plan of a histogram fits its pieces, for all sizes", "[histogram][body]") {
  for (const std::int64_t tokens : {2, 17, 10'000, 2'000'000})
    for (const std::int64_t channels : {1, 3, 255, 257, 13824, 28672})
      for (const int bins : {2, 3, 16, 100, 256}) {
        const body::histogram_plan plan(tokens, channels, {.edges = bin_edges::equal_frequency, .bins = bins}, true);
        REQUIRE(plan.panel_channels % 4 == 0);
        REQUIRE(plan.panel_channels >= 4);
        REQUIRE(plan.panel_channels <= std::max<std::int64_t>(4, 4096 / bins));
        REQUIRE(plan.leading % 16 == 0);
        REQUIRE(plan.leading >= tokens);
        REQUIRE(plan.sorting.channels_at_once >= 1);
        REQUIRE(plan.sorting.channels_at_once * tokens <= std::max<std::int64_t>(tokens, std::int64_t{1} << 24));
        REQUIRE(plan.layout.bytes() > channels * plan.leading);
      }
  // 13824 channels of 10 000 tokens: 138 MB of codes, 82 MB of one-hot codes, 67 MB of counts, 134 MB for the sort.
  const body::histogram_plan plan(10'000, 13824, {}, true);
  CHECK(plan.layout.bytes() < 300'000'000);
}
