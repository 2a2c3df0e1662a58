#include "compress_opt/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <system_error>
#include <tuple>

#include <miq/core/error.hpp>
#include <miq/core/version.hpp>

#include "common/text.hpp"
#include "compress_opt/errors.hpp"

namespace compress_opt {

namespace {

using miq::quantization::grid_layout;
using miq::quantization::grid_symmetry;
using miq::quantization::scale_format;

constexpr std::array all_methods = {method::dense, method::sparsegpt, method::enhanced, method::mi};

const std::map<std::string, bits_by> allocations = {{"rate_distortion", bits_by::rate_distortion},
                                                    {"greedy", bits_by::greedy},
                                                    {"threshold", bits_by::threshold},
                                                    {"quantile", bits_by::quantile}};

const std::map<std::string, masks_by> mask_methods = {
    {"search", masks_by::search}, {"sweep", masks_by::sweep}, {"selection", masks_by::selection}};

const std::map<std::string, saliency> saliencies = {
    {"obs", saliency::obs}, {"wanda", saliency::wanda}, {"magnitude", saliency::magnitude}};

const std::map<std::string, device> devices = {{"cpu", device::cpu}, {"cuda", device::cuda}};
const std::map<std::string, order> orders = {{"natural", order::natural},
                                             {"descending", order::descending},
                                             {"by_group", order::by_group},
                                             {"representatives", order::representatives}};

const std::map<std::string, grid_symmetry> grids = {{"asymmetric", grid_symmetry::asymmetric},
                                                    {"symmetric", grid_symmetry::symmetric},
                                                    {"zero_free", grid_symmetry::zero_free}};

const std::map<std::string, scale_format> scale_formats = {{"float16", scale_format::float16},
                                                           {"float32", scale_format::float32},
                                                           {"logarithmic8", scale_format::logarithmic8}};

const std::map<std::string, estimator> estimators = {{"correlation", estimator::correlation},
                                                     {"rank", estimator::rank},
                                                     {"histogram", estimator::histogram},
                                                     {"knn", estimator::knn},
                                                     {"kde", estimator::kde}};

const std::map<std::string, normalisation> normalisations = {
    {"information_coefficient", normalisation::information_coefficient},
    {"none", normalisation::none},
    {"arithmetic", normalisation::arithmetic},
    {"geometric", normalisation::geometric},
    {"minimum", normalisation::minimum},
    {"maximum", normalisation::maximum}};

const std::map<std::string, grouping> groupings = {
    {"spectral", grouping::spectral}, {"hierarchical", grouping::hierarchical}, {"kmeans", grouping::kmeans},
    {"random", grouping::random},     {"contiguous", grouping::contiguous},     {"hessian", grouping::hessian},
    {"cost", grouping::cost}};

const std::map<std::string, linkage> linkages = {{"average", linkage::average},
                                                 {"complete", linkage::complete},
                                                 {"single", linkage::single},
                                                 {"ward", linkage::ward}};

const std::map<std::string, grid_layout> layouts = {{"A", grid_layout::per_row_and_group},
                                                    {"A-group", grid_layout::per_group},
                                                    {"B", grid_layout::per_column},
                                                    {"R-group", grid_layout::row_by_group},
                                                    {"R", grid_layout::row_by_column}};

const std::map<std::string, save_format> save_formats = {{"huggingface", save_format::huggingface},
                                                         {"gptq", save_format::gptq},
                                                         {"compressed-tensors", save_format::compressed_tensors},
                                                         {"miq", save_format::miq}};

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw option_error(examples::join(parts...));
}

/// What a name stands for; an error that lists the names if there is none such.
template <class Value>
Value named(const std::map<std::string, Value>& values, const char* option, const std::string& name) {
  std::string names;
  for (const auto& [known, value] : values) names += (names.empty() ? "" : ", ") + known;
  require(values.contains(name), option, ": must be one of ", names, "; got '", name, "'");
  return values.at(name);
}

method method_named(const std::string& name) {
  for (const auto which : all_methods)
    if (name_of(which) == name) return which;
  throw option_error("--methods: must be some of dense, sparsegpt, enhanced, mi, separated by commas; got '" + name +
                     "'");
}

int group_number(const std::string& text) {
  if (text == "auto") return 0;
  int number = 0;
  const bool digits = !text.empty() && text.size() <= 6 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) number = std::stoi(text);
  require(number >= 1, "--n_groups: must be a whole number from 1 on, or auto; got '", text, "'");
  return number;
}

/// N and M of "N:M".
std::pair<std::int64_t, std::int64_t> pattern_named(const std::string& text) {
  std::int64_t kept = 0;
  std::int64_t width = 0;
  char rest = 0;
  const bool whole = std::sscanf(text.c_str(), "%2ld:%2ld%c", &kept, &width, &rest) == 2;
  require(whole && kept >= 1 && width <= 64 && kept < width && 128 % width == 0,
          "--pattern: must be N:M, N below M, M a divisor of 64, such as 2:4; got '", text, "'");
  return {kept, width};
}

named_text text_named(const std::string& argument) {
  const auto equals = argument.find('=');
  require(equals != std::string::npos && equals > 0 && equals + 1 < argument.size(), "--eval: must be NAME=FILE; got '",
          argument, "'");
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

/// An option that was given although no chosen method looks at it.
void check_effect(const CLI::App& app, const options& chosen) {
  const std::vector<method> solvers = {method::sparsegpt, method::enhanced, method::mi};
  const std::vector<method> budgets = {method::enhanced, method::mi};
  const std::map<std::string, std::vector<method>> users = {{"--calibration", solvers},
                                                            {"--nsamples", solvers},
                                                            {"--random_windows", solvers},
                                                            {"--sparsity", solvers},
                                                            {"--wbits", solvers},
                                                            {"--percdamp", solvers},
                                                            {"--minlayer", solvers},
                                                            {"--maxlayer", solvers},
                                                            {"--prune_only", solvers},
                                                            {"--invert", solvers},
                                                            {"--allocation", budgets},
                                                            {"--estimator", {method::mi}},
                                                            {"--grouping", {method::mi}},
                                                            {"--n_groups", {method::mi}},
                                                            {"--layout", {method::mi}},
                                                            {"--pictures", {method::mi}},
                                                            {"--mi_tokens", {method::mi}},
                                                            {"--linkage", {method::mi}},
                                                            {"--normalisation", {method::mi}},
                                                            {"--balanced", {method::mi}},
                                                            {"--no_split", {method::mi}},
                                                            {"--target_avg_bits", budgets},
                                                            {"--target_strength", {method::mi}},
                                                            {"--no_sequential", {method::mi}},
                                                            {"--bias_correction", {method::mi}},
                                                            {"--mask_method", {method::mi}},
                                                            {"--saliency", {method::mi}},
                                                            {"--order", {method::mi}},
                                                            {"--refit", {method::mi}},
                                                            {"--grid", {method::mi}},
                                                            {"--scales", solvers},
                                                            {"--pattern", solvers}};
  for (const auto& [name, methods] : users) {
    if (app.count(name) == 0) continue;
    std::string names;
    bool used = false;
    for (const auto which : methods) {
      used = used || chosen.has(which);
      names += (names.empty() ? "" : ", ") + std::string(name_of(which));
    }
    require(used, name, ": has no effect with --methods as given; it belongs to ", names);
  }
  if (!chosen.quantises())
    for (const auto* name : {"--allocation", "--layout", "--grid", "--scales"})
      require(app.count(name) == 0, name, ": has no effect with --wbits 16, which only prunes");
  require(app.count("--mi_tokens") == 0 || chosen.estimator != estimator::correlation,
          "--mi_tokens: has no effect with --estimator correlation, which sees all tokens");
  require(app.count("--linkage") == 0 || chosen.grouping == grouping::hierarchical,
          "--linkage: has no effect without --grouping hierarchical");
  require(app.count("--no_split") == 0 || (chosen.allocation == bits_by::rate_distortion && chosen.n_groups != 1),
          "--no_split: has no effect with --n_groups 1, or with another --allocation than rate_distortion");
  require(app.count("--wbits") == 0 || !chosen.target_avg_bits || chosen.has(method::sparsegpt),
          "--wbits: has no effect with --target_avg_bits and without the method sparsegpt");
  require(app.count("--save_format") == 0 || !chosen.save.empty(), "--save_format: has no effect without --save");
  require(app.count("--pictures") == 0 || !chosen.report.empty(), "--pictures: has no effect without --report");
  require(app.count("--eval_windows") == 0 || !chosen.no_eval, "--eval_windows: has no effect with --no_eval");
}

/// The name under which the command line knows a value.
template <class Value>
std::string_view name_among(const std::map<std::string, Value>& values, const Value& wanted) {
  for (const auto& [name, value] : values)
    if (value == wanted) return name;
  return "?";
}

}  // namespace

std::string_view name_of(estimator which) { return name_among(estimators, which); }
std::string_view name_of(normalisation which) { return name_among(normalisations, which); }
std::string_view name_of(grouping which) { return name_among(groupings, which); }
std::string_view name_of(linkage which) { return name_among(linkages, which); }
std::string_view name_of(bits_by which) { return name_among(allocations, which); }
std::string_view name_of(masks_by which) { return name_among(mask_methods, which); }
std::string_view name_of(saliency which) { return name_among(saliencies, which); }
std::string_view name_of(order which) { return name_among(orders, which); }
std::string_view name_of(device which) { return name_among(devices, which); }
std::string_view name_of(grid_layout which) { return name_among(layouts, which); }
std::string_view name_of(grid_symmetry which) { return name_among(grids, which); }
std::string_view name_of(scale_format which) { return name_among(scale_formats, which); }

std::string_view name_of(method which) {
  switch (which) {
    case method::dense:
      return "dense";
    case method::sparsegpt:
      return "sparsegpt";
    case method::enhanced:
      return "enhanced";
    case method::mi:
      return "mi";
  }
  throw option_error("--methods: unknown method");
}

bool options::has(method which) const { return std::find(methods.begin(), methods.end(), which) != methods.end(); }

bool options::selects(std::int64_t layer, std::string_view name) const {
  const bool inside = layer >= minlayer && (!maxlayer || layer < *maxlayer) && name.find(prune_only) != name.npos;
  return inside != invert;
}

std::filesystem::path options::save_directory(method which) const {
  return methods.size() == 1 ? save : save / name_of(which);
}

void check_options(const options& chosen) {
  const auto finite_in = [](double value, double low, double high) { return value >= low && value <= high; };
  require(!chosen.methods.empty(), "--methods: must name at least one method");
  require(std::set(chosen.methods.begin(), chosen.methods.end()).size() == chosen.methods.size(),
          "--methods: names a method twice");
  require(chosen.nsamples >= 1 && chosen.nsamples <= 1'000'000, "--nsamples: must be 1 to 1000000, got ",
          chosen.nsamples);
  require(chosen.seqlen == 0 || chosen.seqlen >= 2, "--seqlen: must be at least 2 (or 0: the model's context), got ",
          chosen.seqlen);
  require(chosen.eval_windows >= 0, "--eval_windows: must be at least 0 (0: all), got ", chosen.eval_windows);
  require(chosen.sparsity >= 0 && chosen.sparsity < 1, "--sparsity: must be at least 0 and below 1, got ",
          chosen.sparsity);
  require((chosen.wbits >= 1 && chosen.wbits <= 8) || chosen.wbits == 16,
          "--wbits: must be 1 to 8, or 16 to prune only; got ", chosen.wbits);
  if (chosen.target_avg_bits) {
    require(finite_in(*chosen.target_avg_bits, 1, 8), "--target_avg_bits: must be 1 to 8, got ",
            *chosen.target_avg_bits);
    require(chosen.quantises(), "--target_avg_bits: contradicts --wbits 16, which only prunes");
  }
  const bool compresses = !(chosen.methods.size() == 1 && chosen.has(method::dense));
  require(!compresses || chosen.quantises() || chosen.sparsity > 0,
          "--wbits: 16 and --sparsity 0 leave nothing to compress");
  require(finite_in(chosen.percdamp, 0, 1e6), "--percdamp: must be at least 0, got ", chosen.percdamp);
  require(chosen.estimator == estimator::histogram || chosen.normalisation == normalisation::information_coefficient ||
              chosen.normalisation == normalisation::none,
          "--normalisation: by entropies needs --estimator histogram, whose entropies are never negative; use "
          "information_coefficient");
  require(!chosen.balanced || chosen.grouping != grouping::hierarchical,
          "--balanced: needs --grouping spectral or kmeans; a cut of a tree has the sizes that it has");
  require(chosen.mi_tokens >= 32 && chosen.mi_tokens <= 1'000'000, "--mi_tokens: must be 32 to 1000000, got ",
          chosen.mi_tokens);
  require(chosen.n_groups >= 0, "--n_groups: must be a whole number from 1 on, or auto; got ", chosen.n_groups);
  require(finite_in(chosen.target_strength, 0, 1), "--target_strength: must be 0 to 1, got ", chosen.target_strength);
  require(chosen.refit >= -1 && chosen.refit <= 1000, "--refit: must be -1 (none) to 1000, got ", chosen.refit);
  require((chosen.order != order::by_group && chosen.order != order::representatives) || chosen.n_groups != 1,
          "--order: by_group and representatives need more than one group");
  require(chosen.minlayer >= 0, "--minlayer: must be at least 0, got ", chosen.minlayer);
  require(!chosen.maxlayer || *chosen.maxlayer > chosen.minlayer, "--maxlayer: must be above --minlayer ",
          chosen.minlayer, ", got ", chosen.maxlayer.value_or(0));
  require(!chosen.invert || chosen.minlayer > 0 || chosen.maxlayer || !chosen.prune_only.empty(),
          "--invert: selects nothing without --minlayer, --maxlayer or --prune_only");
  require(chosen.threads >= 0 && chosen.threads <= 4096, "--threads: must be 0 (one per core) to 4096, got ",
          chosen.threads);
  require(chosen.pictures >= 0, "--pictures: must be at least 0, got ", chosen.pictures);
  require(!chosen.no_eval || chosen.eval.empty(), "--eval: contradicts --no_eval");
  require(!chosen.no_eval || compresses || !chosen.save.empty(),
          "--no_eval: leaves nothing to do with --methods dense alone");
  std::set<std::string> names;
  for (const auto& text : chosen.eval) {
    require(!text.name.empty(), "--eval: a name is empty");
    require(names.insert(text.name).second, "--eval: the name '", text.name, "' is given twice");
  }
  require(chosen.save_format == save_format::huggingface || !chosen.save.empty(),
          "--save_format: has no effect without --save");
  require(chosen.save_format == save_format::huggingface || chosen.save_format == save_format::miq ||
              !chosen.has(method::dense),
          "--save_format: ", name_of(chosen.save_format),
          " stores codes, and the method dense has none; leave it out of --methods, or save as huggingface");
  if (!chosen.save.empty() && !chosen.report.empty())
    require(std::filesystem::absolute(chosen.save).lexically_normal() / "" !=
                std::filesystem::absolute(chosen.report).lexically_normal() / "",
            "--save: must be another directory than --report");
}

command_line parse_command_line(int argc, const char* const* argv) {
  command_line result;
  auto& chosen = result.chosen;
  CLI::App app(
      "Compresses an OPT language model by pruning and quantisation in one sweep, and compares methods by "
      "perplexity at equal stored bits.",
      "compress_opt");
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("OPTIONS", "OPTION...");
  app.set_version_flag(
      "--version", examples::join("compress_opt ", MIQ_VERSION_MAJOR, '.', MIQ_VERSION_MINOR, '.', MIQ_VERSION_PATCH),
      "Print the version");

  std::vector<std::string> methods;
  std::vector<std::string> texts;
  std::string groups = "8";
  std::string estimator_name = "correlation";
  std::string normalisation_name = "information_coefficient";
  std::string grouping_name = "spectral";
  std::string linkage_name = "average";
  std::string allocation = "rate_distortion";
  std::string layout = "R";
  std::string grid_name = "zero_free";
  std::string scales_name;
  std::string mask_name = "search";
  std::string saliency_name = "obs";
  std::string order_name = "natural";
  std::string device_name = "cpu";
  std::string pattern;
  bool no_sequential = false;
  bool no_split = false;
  std::string save_format_name = "huggingface";
  std::string model;
  std::string calibration;
  std::string save;
  std::string report;
  double target_avg_bits = 0;
  std::int64_t maxlayer = 0;

  app.add_option("MODEL", model, "Directory of an OPT model as Hugging Face keeps it [the embedded opt-demo]");
  app.add_option("--methods", methods, "Some of dense,sparsegpt,enhanced,mi [all]")->delimiter(',')->type_name("LIST");

  const std::string of_texts = "Texts";
  app.add_option("--calibration", calibration, "Text to calibrate on [the embedded one for opt-demo, else required]")
      ->type_name("FILE")
      ->group(of_texts);
  app.add_option("--nsamples", chosen.nsamples, "Calibration windows, spread evenly over the text")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_texts);
  app.add_flag("--random_windows", chosen.random_windows, "Calibration windows start where --seed draws them")
      ->group(of_texts);
  app.add_option("--seqlen", chosen.seqlen, "Tokens of a window [the model's context]")
      ->type_name("N")
      ->group(of_texts);
  app.add_option("--eval", texts, "Text to evaluate on; repeatable [demo for opt-demo, else required]")
      ->type_name("NAME=FILE")
      ->expected(1)
      ->take_all()
      ->group(of_texts);
  app.add_option("--eval_windows", chosen.eval_windows, "Consecutive windows of each text, at most; 0: all")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_texts);
  app.add_flag("--no_eval", chosen.no_eval, "Do not evaluate")->group(of_texts);

  const std::string of_compression = "Compression";
  app.add_option("--sparsity", chosen.sparsity, "Share of weights that are masked")
      ->capture_default_str()
      ->type_name("SHARE")
      ->group(of_compression);
  app.add_option("--wbits", chosen.wbits, "Width of sparsegpt's codes, 1 to 8; 16: all methods only prune")
      ->capture_default_str()
      ->type_name("BITS")
      ->group(of_compression);
  app.add_option("--target_avg_bits", target_avg_bits,
                 "Budget of enhanced and mi: what sparsegpt would store with this width [--wbits]")
      ->type_name("BITS")
      ->group(of_compression);
  app.add_option("--percdamp", chosen.percdamp, "Damping, as a share of the Hessian's diagonal")
      ->capture_default_str()
      ->type_name("SHARE")
      ->group(of_compression);
  app.add_option("--n_groups", groups, "Channel groups of mi: a number, or auto (best silhouette of 2 to 16)")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_compression);
  app.add_flag("--balanced", chosen.balanced, "Channel groups of equal size")->group(of_compression);
  app.add_flag("--no_split", no_split,
               "One width for each channel group, which is not divided in cheap and dear channels")
      ->group(of_compression);
  app.add_option("--estimator", estimator_name, "Mutual information of mi: correlation, rank, histogram, knn or kde")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--mi_tokens", chosen.mi_tokens,
                 "Calibration tokens, drawn at random, that estimators other than correlation see")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_compression);
  app.add_option("--normalisation", normalisation_name,
                 "Affinity from mutual information: information_coefficient or none; with histogram also arithmetic, "
                 "geometric, minimum or maximum")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--grouping", grouping_name,
                 "How mi groups channels: spectral, hierarchical or kmeans; as controls, of spectral's sizes, random, "
                 "contiguous, hessian or cost")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--linkage", linkage_name, "Of hierarchical groups: average, complete, single or ward")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option(
         "--allocation", allocation,
         "How enhanced and mi share out bits: rate_distortion (enhanced: greedy), greedy, threshold or quantile")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--layout", layout,
                 "Scales of mi: R (row times channel), R-group (row times group), A (one per output row and group), "
                 "A-group (one per group) or B (one per channel)")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--grid", grid_name, "Levels of mi: zero_free, asymmetric or symmetric")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--scales", scales_name,
                 "How scales are stored: float16, float32 or logarithmic8 [mi: logarithmic8, others: float16]")
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--pattern", pattern, "N:M masks, such as 2:4, instead of --sparsity")
      ->type_name("N:M")
      ->group(of_compression);
  app.add_option("--mask_method", mask_name,
                 "How mi finds its masks: search, sweep (a pruning sweep) or selection (at once)")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--saliency", saliency_name, "What mi masks by: obs, wanda or magnitude")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--refit", chosen.refit, "Iterations in which mi refits what its masks keep; -1: none")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_compression);
  app.add_option("--order", order_name,
                 "In which mi's sweep takes channels: natural, descending, by_group or representatives")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_compression);
  app.add_option("--target_strength", chosen.target_strength,
                 "How far mi makes up for what earlier layers have lost, 0 to 1")
      ->capture_default_str()
      ->type_name("SHARE")
      ->group(of_compression);
  app.add_flag("--no_sequential", no_sequential,
               "mi sees all inputs of a layer before it compresses the layer, not each with what stands before it")
      ->group(of_compression);
  app.add_flag("--bias_correction", chosen.bias_correction, "mi keeps mean outputs by the biases")
      ->group(of_compression);

  const std::string of_selection = "Which matrices are compressed";
  app.add_option("--minlayer", chosen.minlayer, "First layer")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_selection);
  app.add_option("--maxlayer", maxlayer, "Layer behind the last one [all]")->type_name("N")->group(of_selection);
  app.add_option("--prune_only", chosen.prune_only, "Only matrices whose name contains this, e.g. fc1 [all]")
      ->type_name("NAME")
      ->group(of_selection);
  app.add_flag("--invert", chosen.invert, "All matrices but those selected")->group(of_selection);

  const std::string of_results = "Results";
  app.add_option("--save", save, "Save the model for transformers in DIR; with several methods, each in DIR/METHOD")
      ->type_name("DIR")
      ->group(of_results);
  app.add_option("--save_format", save_format_name,
                 "Of --save: huggingface (dense), gptq, compressed-tensors or miq (packed)")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(of_results);
  app.add_option("--report", report, "Write performance_report.md, report.json and pictures into DIR")
      ->type_name("DIR")
      ->group(of_results);
  app.add_option("--pictures", chosen.pictures, "Layers of which mi's groups are drawn, spread evenly; 0: none")
      ->capture_default_str()
      ->type_name("N")
      ->group(of_results);

  app.add_option("--seed", chosen.seed, "Of everything drawn at random")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);  // else -1 would become 2^64 - 1
  app.add_option("--threads", chosen.threads, "Threads; 0: one per core")->capture_default_str()->type_name("N");
  app.add_option("--device", device_name, "Where layers are compressed: cpu or cuda; models run on the host")
      ->capture_default_str()
      ->type_name("NAME");

  try {
    app.parse(argc, const_cast<char**>(argv));
  } catch (const CLI::CallForHelp&) {
    result.text = app.help();
    return result;
  } catch (const CLI::CallForVersion& version) {
    result.text = std::string(version.what()) + '\n';
    return result;
  } catch (const CLI::ParseError& failure) {
    throw option_error(std::string(failure.what()) + "; see --help");
  }

  chosen.model = model;
  chosen.calibration = calibration;
  chosen.save = save;
  chosen.report = report;
  for (const auto& [name, value] : {std::pair{"--calibration", &calibration}, {"--save", &save}, {"--report", &report}})
    require(app.count(name) == 0 || !value->empty(), name, ": must not be empty");
  require(app.count("MODEL") == 0 || !model.empty(), "MODEL: must not be empty");
  require(app.count("--seqlen") == 0 || chosen.seqlen >= 2, "--seqlen: must be at least 2, got ", chosen.seqlen);
  if (app.count("--methods") > 0) {
    chosen.methods.clear();
    for (const auto& name : methods) chosen.methods.push_back(method_named(name));
  }
  for (const auto& text : texts) chosen.eval.push_back(text_named(text));
  if (app.count("--target_avg_bits") > 0) chosen.target_avg_bits = target_avg_bits;
  if (app.count("--maxlayer") > 0) chosen.maxlayer = maxlayer;
  chosen.n_groups = group_number(groups);
  chosen.estimator = named(estimators, "--estimator", estimator_name);
  chosen.normalisation = named(normalisations, "--normalisation", normalisation_name);
  chosen.grouping = named(groupings, "--grouping", grouping_name);
  chosen.linkage = named(linkages, "--linkage", linkage_name);
  chosen.allocation = named(allocations, "--allocation", allocation);
  chosen.grid = named(grids, "--grid", grid_name);
  if (app.count("--scales") > 0) chosen.scales = named(scale_formats, "--scales", scales_name);
  chosen.mask_method = named(mask_methods, "--mask_method", mask_name);
  chosen.saliency = named(saliencies, "--saliency", saliency_name);
  chosen.order = named(orders, "--order", order_name);
  chosen.on_device = named(devices, "--device", device_name);
  chosen.sequential = !no_sequential;
  chosen.split = !no_split;
  if (app.count("--pattern") > 0) {
    require(app.count("--sparsity") == 0, "--pattern: contradicts --sparsity");
    std::tie(chosen.pattern_kept, chosen.pattern_width) = pattern_named(pattern);
    chosen.sparsity = 1 - static_cast<double>(chosen.pattern_kept) / static_cast<double>(chosen.pattern_width);
    if (app.count("--mask_method") == 0) chosen.mask_method = masks_by::sweep;
    require(chosen.mask_method != masks_by::search,
            "--mask_method: search does not keep the groups of --pattern; use sweep or selection");
    require(chosen.order == order::natural || chosen.mask_method == masks_by::selection,
            "--order: with --pattern needs --mask_method selection");
  }
  chosen.layout = named(layouts, "--layout", layout);
  chosen.save_format = named(save_formats, "--save_format", save_format_name);
  check_options(chosen);
  check_effect(app, chosen);
  return result;
}

std::filesystem::path data_directory() {
  std::error_code ignored;
  const std::filesystem::path sources = COMPRESS_OPT_DATA_DIR;
  if (std::filesystem::is_directory(sources, ignored)) return sources;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto beside = program.parent_path() / "data";
  if (!program.empty() && std::filesystem::is_directory(beside, ignored)) return beside;
  throw input_error("the embedded model is missing: neither " + sources.string() + " nor " + beside.string() +
                    " is a directory; name a MODEL");
}

options with_defaults(options chosen) {
  const bool embedded = chosen.model.empty();
  const bool calibrates = !(chosen.methods.size() == 1 && chosen.has(method::dense));
  if (embedded) {
    const auto data = data_directory();
    chosen.model = data / "opt-demo";
    if (chosen.calibration.empty()) chosen.calibration = data / "demo-text" / "calibration.txt";
    if (chosen.eval.empty() && !chosen.no_eval) chosen.eval.push_back({"demo", data / "demo-text" / "evaluation.txt"});
  }
  require(!calibrates || !chosen.calibration.empty(), "--calibration: is required with a MODEL of your own");
  require(chosen.no_eval || !chosen.eval.empty(),
          "--eval: NAME=FILE is required with a MODEL of your own (or --no_eval)");
  return chosen;
}

}  // namespace compress_opt
