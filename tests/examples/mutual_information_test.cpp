// What mutual_information makes of its findings: options, order, strongest pairs, JSON, table, pictures.
#include <algorithm>
#include <cmath>
#include <miq/core/random.hpp>
#include <numeric>
#include <tuple>

#include "common/matrix_panel.hpp"
#include "mutual_information/report/pictures.hpp"
#include "mutual_information/report/results.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace mutual_information;
using namespace miq_test;
using examples::option_error;

namespace {

namespace information = miq::information;

bool same(examples::colour a, examples::colour b) {
  return std::tuple(a.red, a.green, a.blue) == std::tuple(b.red, b.green, b.blue);
}

options parsed(std::vector<const char*> words) {
  words.insert(words.begin(), "mutual_information");
  return parse_command_line(static_cast<int>(words.size()), words.data()).chosen;
}

/// Channels of which c and c + blocks share a signal.
samples block_samples(std::int64_t tokens, std::int64_t channels, std::int64_t blocks, std::uint64_t seed) {
  miq::random_stream random(seed);
  samples input;
  input.values = miq::matrix<float>(tokens, channels);
  std::vector<double> shared(static_cast<std::size_t>(blocks));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (auto& value : shared) value = random.normal();
    for (std::int64_t c = 0; c < channels; ++c)
      input.values(t, c) = static_cast<float>(2 * shared[static_cast<std::size_t>(c % blocks)] + random.normal());
    input.tokens.push_back(t);
  }
  for (std::int64_t c = 0; c < channels; ++c) input.names.push_back("channel " + std::to_string(c));
  input.tokens_in_file = tokens;
  input.format = "test";
  return input;
}

result run_on(samples input, const options& chosen) {
  const miq::host_executor exec({.threads = 1});
  result run;
  run.chosen = chosen;
  run.found = analyse(exec, input, std::nullopt, chosen);
  run.input = std::move(input);
  return run;
}

/// Findings made by hand, for pictures: a tree that joins channel after channel to the first.
findings made_findings(std::int64_t channels, std::int64_t groups) {
  findings found;
  found.mi = miq::matrix<float>(channels, channels);
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = 0; j < channels; ++j)
      if (i != j) found.mi(i, j) = static_cast<float>(1 + std::min(i, j) % 7);
  std::vector<miq::grouping::cluster_merge> merges;
  for (std::int64_t m = 0; m + 1 < channels; ++m) {
    const auto grown = m == 0 ? 0 : channels + m - 1;
    merges.push_back({std::min(m + 1, grown), std::max(m + 1, grown),
                      0.2 + 0.7 * static_cast<double>(m + 1) / static_cast<double>(channels), m + 2});
  }
  found.tree = miq::grouping::dendrogram(merges);
  found.groups = miq::grouping::partition::contiguous(channels, groups);
  found.order.resize(static_cast<std::size_t>(channels));
  std::iota(found.order.begin(), found.order.end(), std::int64_t{0});
  return found;
}

std::vector<std::string> some_names(std::int64_t channels) {
  std::vector<std::string> names;
  for (std::int64_t c = 0; c < channels; ++c)
    names.push_back(c % 2 == 0 ? std::to_string(c)
                               : "a name that is much too long for any picture " + std::to_string(c));
  return names;
}

}  // namespace

TEST_CASE("options become the library's", "[options]") {
  const auto plain = parsed({"folder/table.csv"});
  CHECK(plain.input == "folder/table.csv");
  CHECK(plain.out == "table_information");
  CHECK(std::holds_alternative<information::correlation_options>(plain.estimator));
  CHECK(plain.n_groups == 0);
  CHECK(plain.grouping == grouping_method::spectral);
  CHECK(plain.linkage == miq::grouping::linkage_method::average);

  const auto bins = parsed({"x", "--estimator", "histogram", "--bins", "32", "--edges", "frequency", "--correction",
                            "james-stein", "--normalisation", "geometric"});
  const auto histogram = std::get<information::histogram_options>(bins.estimator);
  CHECK(histogram.rule == information::bin_count_rule::fixed);
  CHECK(histogram.bins == 32);
  CHECK(histogram.edges == information::bin_edges::equal_frequency);
  CHECK(histogram.estimator == information::entropy_estimator::james_stein);
  CHECK(bins.normalisation == information::normalisation::geometric);
  for (const auto& [word, rule] : {std::pair{"sqrt", information::bin_count_rule::square_root},
                                   {"sturges", information::bin_count_rule::sturges},
                                   {"fd", information::bin_count_rule::freedman_diaconis}})
    CHECK(std::get<information::histogram_options>(parsed({"x", "--estimator", "histogram", "--bins", word}).estimator)
              .rule == rule);

  const auto near = parsed({"x", "--estimator", "knn", "--neighbours", "7", "--ksg", "2", "--seed", "9", "--n_groups",
                            "5", "--grouping", "kmeans", "--balanced", "--max-tokens", "100"});
  const auto knn = std::get<information::knn_options>(near.estimator);
  CHECK(knn.neighbours == 7);
  CHECK(knn.variant == information::ksg_variant::second);
  CHECK(knn.seed == 9);
  CHECK(near.n_groups == 5);
  CHECK(near.balanced);
  CHECK(near.max_tokens == 100);
  CHECK(
      std::get<information::kde_options>(parsed({"x", "--estimator", "kde", "--bandwidth", "scott"}).estimator).rule ==
      information::bandwidth_rule::scott);
  CHECK(parsed({"x", "--linkage", "single"}).linkage == miq::grouping::linkage_method::single);
  for (const auto* bad : {"0", "-1", "2.5", "many", "", "99999999999999999999"})
    CHECK_THROWS_AS(parsed({"x", "--n_groups", bad}), option_error);
  CHECK_THROWS_AS(parsed({"x", "--linkage", "ward"}), option_error);
  CHECK_THROWS_AS(parsed({""}), option_error);
}

TEST_CASE("the strongest pairs are those of a full sort", "[results]") {
  miq::random_stream random(seed());
  const auto channels = static_cast<std::int64_t>(1 + random.below(30));
  miq::matrix<float> mi(channels, channels);
  std::vector<std::tuple<float, std::int64_t, std::int64_t>> all;
  for (std::int64_t i = 0; i < channels; ++i)
    for (auto j = i + 1; j < channels; ++j) {
      mi(i, j) = mi(j, i) = static_cast<float>(random.below(8)) - 1;  // with ties and negative values
      all.emplace_back(-mi(i, j), i, j);
    }
  std::sort(all.begin(), all.end());
  for (const std::size_t count : {0U, 1U, 10U, 1000U}) {
    const auto best = strongest_pairs(std::as_const(mi).view(), count);
    REQUIRE(best.size() == std::min(count, all.size()));
    for (std::size_t k = 0; k < best.size(); ++k)
      CHECK(std::tuple(-best[k].mi, best[k].first, best[k].second) == all[k]);
  }
}

TEST_CASE("the order of pictures keeps groups together and branches uncrossed", "[results]") {
  options chosen;
  chosen.grouping = GENERATE(grouping_method::spectral, grouping_method::hierarchical, grouping_method::kmeans);
  chosen.n_groups = GENERATE(1, 4, 6);
  const auto run = run_on(block_samples(300, 23, 4, seed()), chosen);
  auto sorted = run.found.order;
  std::sort(sorted.begin(), sorted.end());
  for (std::int64_t c = 0; c < 23; ++c) REQUIRE(sorted[static_cast<std::size_t>(c)] == c);
  int changes = 0;
  for (std::size_t i = 1; i < run.found.order.size(); ++i)
    changes += run.found.groups.labels()[static_cast<std::size_t>(run.found.order[i])] !=
                       run.found.groups.labels()[static_cast<std::size_t>(run.found.order[i - 1])]
                   ? 1
                   : 0;
  CHECK(changes == chosen.n_groups - 1);
  if (chosen.grouping == grouping_method::hierarchical) CHECK(run.found.order == run.found.tree.leaf_order());
}

TEST_CASE("names from outside reach JSON and terminal unharmed", "[results]") {
  auto input = block_samples(100, 3, 1, seed());
  input.names = {"bell \a and \x1b[31m", "not UTF-8: \xFF\xFE", "\"quotes\" \\"};
  const temporary_directory directory;
  options chosen;
  chosen.out = directory.path();
  chosen.input = "table.csv";
  const auto run = run_on(std::move(input), chosen);
  const auto text = summary(run);
  CHECK(text.find('\a') == std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  write_results(run);
  const auto names = read_json(directory / "groups.json").at("names");
  CHECK(names[0] == run.input.names[0]);
  CHECK(names[1] == "not UTF-8: \xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(names[2] == run.input.names[2]);
}

TEST_CASE("the table warns of what spoils results", "[results]") {
  auto input = block_samples(20, 3, 1, seed());
  for (std::int64_t t = 0; t < 20; ++t) input.values(t, 1) = 5;
  input.shifted = {2};
  const auto text = summary(run_on(std::move(input), {}));
  CHECK_THAT(text, contains("warning: few tokens"));
  CHECK_THAT(text, contains("constant") && contains("channel 1"));
  CHECK_THAT(text, contains("moved before rounding") && contains("channel 2"));
}

TEST_CASE("a results folder that cannot be written is an error", "[results]") {
  const temporary_directory directory;
  options chosen;
  chosen.out = directory / "missing";
  const auto run = run_on(block_samples(50, 3, 1, seed()), chosen);
  CHECK_THAT(message_of<examples::input_error>([&] { write_results(run); }), contains("mi.npy: cannot be written"));
}

TEST_CASE("the heat map shows each value in its place", "[pictures]") {
  const std::int64_t channels = 5;
  auto found = made_findings(channels, 2);
  found.order = {3, 0, 4, 1, 2};
  found.groups = miq::grouping::partition({0, 1, 1, 0, 0});
  const auto picture = draw_heat_map("title", "subtitle", some_names(channels), found);
  const examples::matrix_panel panel(channels, 840);
  const auto side = panel.size();
  // The panel is where its black frame is: the longest black line.
  std::int64_t left = -1, above = -1;
  for (std::int64_t y = 0; y < picture.height() && above < 0; ++y)
    for (std::int64_t x = 0; x + side + 1 < picture.width(); ++x) {
      std::int64_t length = 0;
      while (length < side + 2 && same(picture.at(x + length, y), examples::black)) ++length;
      if (length == side + 2) {
        left = x + 1;
        above = y + 1;
        break;
      }
    }
  REQUIRE(above > 0);
  const auto top = static_cast<double>(4);  // min(i, j) is 3 at most
  for (std::int64_t r = 0; r < channels; ++r)
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto value = found.mi(found.order[static_cast<std::size_t>(r)], found.order[static_cast<std::size_t>(c)]);
      const auto expected =
          r == c ? examples::white : examples::map_colour(std::sqrt(static_cast<double>(value) / top));
      INFO(r << ", " << c);
      CHECK(same(picture.at(left + panel.offset(c) + 80, above + panel.offset(r) + 80), expected));
    }
  // A white line between the groups, none inside them.
  const auto is_white = [&](std::int64_t place) {
    return same(picture.at(left + panel.offset(place), above + panel.offset(4) + 20), examples::white);
  };
  CHECK(is_white(3));
  CHECK_FALSE(is_white(1));
  CHECK_FALSE(is_white(2));
}

TEST_CASE("pictures of any size fit their canvas", "[pictures]") {
  const auto [channels, groups] = GENERATE(table<std::int64_t, std::int64_t>(
      {{1, 1}, {2, 1}, {2, 2}, {3, 2}, {17, 5}, {90, 90}, {97, 32}, {201, 7}, {601, 100}, {3001, 64}}));
  const auto found = made_findings(channels, groups);
  const auto names = some_names(channels);
  for (const auto& picture :
       {draw_heat_map("title", "subtitle", names, found), draw_dendrogram("title", "subtitle", names, found, true)}) {
    INFO(channels << " channels");
    CHECK(picture.width() >= 300);
    CHECK(picture.width() <= 2400);
    CHECK(picture.height() >= 300);
    CHECK(picture.height() <= 1600);
    // Nothing touches the edges, where it would be cut off.
    for (std::int64_t x = 0; x < picture.width(); ++x)
      REQUIRE((same(picture.at(x, 0), examples::white) && same(picture.at(x, picture.height() - 1), examples::white)));
    for (std::int64_t y = 0; y < picture.height(); ++y)
      REQUIRE((same(picture.at(0, y), examples::white) && same(picture.at(picture.width() - 1, y), examples::white)));
  }
}

TEST_CASE("branches of one group have its colour, others are grey", "[pictures]") {
  const auto found = made_findings(6, 2);  // groups {0, 1, 2} and {3, 4, 5}; the second is never a branch of its own
  const auto picture = draw_dendrogram("title", "subtitle", some_names(6), found, false);
  // Along a line just above the leaves: one stem for each channel, from left to right in the order of the tree.
  const auto colours = [&] {
    std::vector<std::size_t> seen;
    for (std::int64_t y = picture.height() - 1; y > 0; --y) {
      seen.clear();
      for (std::int64_t x = 1; x < picture.width(); ++x)
        for (std::size_t s = 0; s < 2; ++s)
          if (same(picture.at(x, y), examples::series_colour(s)) && !same(picture.at(x - 1, y), picture.at(x, y)))
            seen.push_back(s);
      if (seen.size() == 6) break;
    }
    return seen;
  }();
  REQUIRE(colours.size() == 6);
  const auto leaves = found.tree.leaf_order();
  for (std::size_t i = 0; i < 6; ++i) CHECK(colours[i] == (leaves[i] < 3 ? 0U : 1U));
}
