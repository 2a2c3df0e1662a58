#include "mutual_information/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include <miq/core/error.hpp>
#include <miq/core/version.hpp>

#include "common/errors.hpp"
#include "common/text.hpp"

namespace mutual_information {

namespace {

using miq::grouping::linkage_method;
using miq::information::bandwidth_rule;
using miq::information::bin_count_rule;
using miq::information::bin_edges;
using miq::information::entropy_estimator;
using miq::information::ksg_variant;
using miq::information::normalisation;

/// A choice by name: what the command line calls each value.
template <class Value, std::size_t Count>
using name_table = std::array<std::pair<std::string_view, Value>, Count>;

constexpr name_table<grouping_method, 3> groupings = {{{"spectral", grouping_method::spectral},
                                                       {"hierarchical", grouping_method::hierarchical},
                                                       {"kmeans", grouping_method::kmeans}}};
constexpr name_table<linkage_method, 3> linkages = {
    {{"single", linkage_method::single}, {"complete", linkage_method::complete}, {"average", linkage_method::average}}};
constexpr name_table<normalisation, 7> normalisations = {
    {{"none", normalisation::none},
     {"arithmetic", normalisation::arithmetic},
     {"geometric", normalisation::geometric},
     {"minimum", normalisation::minimum},
     {"maximum", normalisation::maximum},
     {"correlation", normalisation::correlation},
     {"information_coefficient", normalisation::information_coefficient}}};
constexpr name_table<bin_count_rule, 4> bin_rules = {{{"fixed", bin_count_rule::fixed},
                                                      {"sqrt", bin_count_rule::square_root},
                                                      {"sturges", bin_count_rule::sturges},
                                                      {"fd", bin_count_rule::freedman_diaconis}}};
constexpr name_table<bin_edges, 2> edge_kinds = {
    {{"width", bin_edges::equal_width}, {"frequency", bin_edges::equal_frequency}}};
constexpr name_table<entropy_estimator, 3> corrections = {{{"plug-in", entropy_estimator::plug_in},
                                                           {"miller-madow", entropy_estimator::miller_madow},
                                                           {"james-stein", entropy_estimator::james_stein}}};
constexpr name_table<bandwidth_rule, 2> bandwidths = {
    {{"silverman", bandwidth_rule::silverman}, {"scott", bandwidth_rule::scott}}};

template <class Value, std::size_t Count>
constexpr std::string_view name_in(const name_table<Value, Count>& names, Value value) {
  for (const auto& [name, named] : names)
    if (named == value) return name;
  return "?";
}

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw examples::option_error(examples::join(parts...));
}

template <class Value, std::size_t Count>
Value value_named(const char* option, const name_table<Value, Count>& names, const std::string& word) {
  std::string all;
  for (const auto& [name, value] : names) {
    if (name == word) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  throw examples::option_error(std::string(option) + ": must be one of " + all + "; got '" + word + "'");
}

/// A whole number in a range, or nothing.
bool parse_whole(const std::string& text, std::int64_t low, std::int64_t high, std::int64_t& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size() && value >= low && value <= high;
}

/// Options that belong to one estimator, or one way of grouping.
void check_effect(const CLI::App& app, const std::string& estimator, const options& chosen) {
  const std::vector<std::pair<const char*, const char*>> of_estimators = {
      {"--bins", "histogram"}, {"--edges", "histogram"}, {"--correction", "histogram"},
      {"--neighbours", "knn"}, {"--ksg", "knn"},         {"--bandwidth", "kde"}};
  for (const auto& [option, owner] : of_estimators)
    require(app.count(option) == 0 || estimator == owner, option, ": has no effect with --estimator ", estimator,
            "; it belongs to ", owner);
  require(!chosen.balanced || chosen.grouping != grouping_method::hierarchical,
          "--balanced: is for --grouping spectral and kmeans; a dendrogram has no balanced cut");
  if (const auto* histogram = std::get_if<miq::information::histogram_options>(&chosen.estimator))
    require(histogram->edges == bin_edges::equal_width || histogram->rule != bin_count_rule::freedman_diaconis,
            "--bins: fd is a rule for --edges width");
  const bool by_entropies =
      chosen.normalisation == normalisation::arithmetic || chosen.normalisation == normalisation::geometric ||
      chosen.normalisation == normalisation::minimum || chosen.normalisation == normalisation::maximum;
  require(!by_entropies || miq::information::entropies_of(chosen.estimator) == miq::information::entropy_kind::discrete,
          "--normalisation: ", name_of(chosen.normalisation),
          " relates to discrete entropies, which only --estimator histogram has; information_coefficient fits all");
}

}  // namespace

std::string_view name_of(grouping_method method) { return name_in(groupings, method); }
std::string_view name_of(linkage_method method) { return name_in(linkages, method); }
std::string_view name_of(normalisation how) { return name_in(normalisations, how); }
std::string_view name_of(bin_count_rule rule) { return name_in(bin_rules, rule); }
std::string_view name_of(bin_edges edges) { return name_in(edge_kinds, edges); }
std::string_view name_of(entropy_estimator estimator) { return name_in(corrections, estimator); }
std::string_view name_of(bandwidth_rule rule) { return name_in(bandwidths, rule); }

command_line parse_command_line(int argc, const char* const* argv) {
  command_line result;
  auto& chosen = result.chosen;
  CLI::App app(
      "Mutual information of all pairs of channels of a table [tokens, channels], and groups of channels that share "
      "it. "
      "Writes mi.npy, groups.json, linkage.npy, heat_map.png and dendrogram.png.",
      "mutual_information");
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("OPTIONS", "OPTION...");
  app.set_version_flag(
      "--version",
      examples::join("mutual_information ", MIQ_VERSION_MAJOR, '.', MIQ_VERSION_MINOR, '.', MIQ_VERSION_PATCH),
      "Print the version");

  std::string input, out, labels;
  std::string estimator = "correlation", bins = "16", edges = "width", correction = "plug-in", bandwidth = "scott";
  std::string how = "none", grouping = "spectral", linkage = "average", groups = "auto";
  int neighbours = 3, ksg = 1;

  app.add_option("INPUT", input, "A .npy file, or a CSV file with one line for each token")->required();
  app.add_option("--out", out, "Folder of the results [the input's name with _information]")->type_name("FOLDER");

  const std::string of_information = "Information";
  app.add_option("--estimator", estimator, "correlation, rank, histogram, knn or kde")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_information);
  app.add_option("--bins", bins, "Of histogram: a number, 2 to 256, or sqrt, sturges, fd")
      ->capture_default_str()
      ->type_name("N|RULE")
      ->group(of_information);
  app.add_option("--edges", edges, "Of histogram: bins of equal width or frequency")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_information);
  app.add_option("--correction", correction, "Of histogram: plug-in, miller-madow or james-stein")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_information);
  app.add_option("--neighbours", neighbours, "Of knn")->capture_default_str()->type_name("K")->group(of_information);
  app.add_option("--ksg", ksg, "Of knn: Kraskov's estimator 1 or 2")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_information);
  app.add_option("--bandwidth", bandwidth, "Of kde: scott or silverman")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_information);
  app.add_option("--max-tokens", chosen.max_tokens, "Use a random sample of this many tokens; 0: all")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_information);
  app.add_option("--permutations", chosen.permutations, "Rounds of a permutation test, for p-values and bias; 0: none")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_information);
  app.add_option("--normalisation", how,
                 "Write normalised.npy: arithmetic, geometric, minimum, maximum, correlation or "
                 "information_coefficient")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_information);
  app.add_option("--labels", labels, "A class for each token (CSV or .npy): information of each channel with it")
      ->type_name("FILE")
      ->group(of_information);

  const std::string of_groups = "Groups";
  app.add_option("--grouping", grouping, "spectral, hierarchical or kmeans")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_groups);
  app.add_option("--linkage", linkage, "Of the dendrogram, and of hierarchical: single, complete or average")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_groups);
  app.add_option("--n_groups", groups, "A number, or auto (best silhouette of 2 to 32)")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_groups);
  app.add_flag("--balanced", chosen.balanced, "Groups of equal size (spectral, kmeans)")->group(of_groups);

  app.add_option("--seed", chosen.seed, "Of everything drawn at random")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);  // else -1 would become 2^64 - 1
  app.add_option("--threads", chosen.threads, "Threads; 0: one per core")->capture_default_str()->type_name("N");
  app.add_flag("--quiet", chosen.quiet, "No progress, no table");

  try {
    app.parse(argc, const_cast<char**>(argv));
  } catch (const CLI::CallForHelp&) {
    result.text = app.help();
    return result;
  } catch (const CLI::CallForVersion& version) {
    result.text = std::string(version.what()) + '\n';
    return result;
  } catch (const CLI::ParseError& failure) {
    throw examples::option_error(std::string(failure.what()) + "; see --help");
  }

  for (const auto& [name, value] : {std::pair{"INPUT", &input}, {"--out", &out}, {"--labels", &labels}})
    require(app.count(name) == 0 || !value->empty(), name, ": must not be empty");
  chosen.input = input;
  chosen.labels = labels;
  chosen.out = out.empty() ? chosen.input.stem().string() + "_information" : out;

  if (estimator == "correlation") {
    chosen.estimator = miq::information::correlation_options{};
  } else if (estimator == "rank") {
    chosen.estimator = miq::information::rank_correlation_options{};
  } else if (estimator == "histogram") {
    miq::information::histogram_options histogram;
    std::int64_t count = 0;
    if (parse_whole(bins, 2, 256, count)) {
      histogram.bins = static_cast<int>(count);
    } else {
      require(bins == "sqrt" || bins == "sturges" || bins == "fd",
              "--bins: must be 2 to 256, sqrt, sturges or fd; got '", bins, "'");
      histogram.rule = value_named("--bins", bin_rules, bins);
    }
    histogram.edges = value_named("--edges", edge_kinds, edges);
    histogram.estimator = value_named("--correction", corrections, correction);
    chosen.estimator = histogram;
  } else if (estimator == "knn") {
    require(neighbours >= 1 && neighbours <= 1000, "--neighbours: must be 1 to 1000, got ", neighbours);
    require(ksg == 1 || ksg == 2, "--ksg: must be 1 or 2, got ", ksg);
    miq::information::knn_options knn;
    knn.neighbours = neighbours;
    knn.variant = ksg == 1 ? ksg_variant::first : ksg_variant::second;
    knn.seed = chosen.seed;
    chosen.estimator = knn;
  } else {
    require(estimator == "kde", "--estimator: must be one of correlation, rank, histogram, knn, kde; got '", estimator,
            "'");
    miq::information::kde_options kde;
    kde.rule = value_named("--bandwidth", bandwidths, bandwidth);
    chosen.estimator = kde;
  }
  chosen.normalisation = value_named("--normalisation", normalisations, how);
  chosen.grouping = value_named("--grouping", groupings, grouping);
  chosen.linkage = value_named("--linkage", linkages, linkage);
  if (groups != "auto") {
    std::int64_t count = 0;
    require(parse_whole(groups, 1, 65536, count), "--n_groups: must be a whole number from 1 on, or auto; got '",
            groups, "'");
    chosen.n_groups = static_cast<int>(count);
  }
  require(chosen.max_tokens == 0 || chosen.max_tokens >= 2, "--max-tokens: must be at least 2 (or 0: all), got ",
          chosen.max_tokens);
  require(chosen.permutations >= 0 && chosen.permutations <= 1'000'000, "--permutations: must be 0 to 1000000, got ",
          chosen.permutations);
  require(chosen.threads >= 0 && chosen.threads <= 4096, "--threads: must be 0 (one per core) to 4096, got ",
          chosen.threads);
  check_effect(app, estimator, chosen);
  return result;
}

}  // namespace mutual_information
