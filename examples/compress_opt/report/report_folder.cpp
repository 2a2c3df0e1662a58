#include "compress_opt/report/report_folder.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <system_error>
#include <utility>

#include "common/whole_file.hpp"
#include "compress_opt/report/pictures.hpp"
#include "compress_opt/report/table.hpp"

namespace compress_opt {

namespace {

using json = nlohmann::json;

constexpr std::int64_t most_listed_groups = 64;  // above that, groups are summed up by their width

json options_as_json(const options& chosen) {
  json methods = json::array();
  for (const auto which : chosen.methods) methods.push_back(compress_opt::name_of(which));
  return {{"methods", methods},
          {"nsamples", chosen.nsamples},
          {"seqlen", chosen.seqlen},
          {"percdamp", chosen.percdamp},
          {"sparsity", chosen.sparsity},
          {"wbits", chosen.wbits},
          {"target_avg_bits", chosen.quantises() ? json(chosen.average_bits()) : json(nullptr)},
          {"n_groups", chosen.n_groups == 0 ? json("auto") : json(chosen.n_groups)},
          {"estimator", name_of(chosen.estimator)},
          {"mi_tokens", chosen.estimator == estimator::correlation ? json(nullptr) : json(chosen.mi_tokens)},
          {"normalisation", name_of(chosen.normalisation)},
          {"grouping", name_of(chosen.grouping)},
          {"linkage", chosen.grouping == grouping::hierarchical ? json(name_of(chosen.linkage)) : json(nullptr)},
          {"balanced", chosen.balanced},
          {"split", chosen.split},
          {"allocation", name_of(chosen.allocation)},
          {"layout", name_of(chosen.layout)},
          {"grid", name_of(chosen.grid)},
          {"scales", chosen.scales ? json(name_of(*chosen.scales)) : json(nullptr)},
          {"target_strength", chosen.target_strength},
          {"sequential", chosen.sequential},
          {"bias_correction", chosen.bias_correction},
          {"pattern", chosen.pattern_width > 0
                          ? json(std::to_string(chosen.pattern_kept) + ':' + std::to_string(chosen.pattern_width))
                          : json(nullptr)},
          {"mask_method", name_of(chosen.mask_method)},
          {"saliency", name_of(chosen.saliency)},
          {"order", name_of(chosen.order)},
          {"device", name_of(chosen.on_device)},
          {"refit", chosen.refit},
          {"random_windows", chosen.random_windows},
          {"minlayer", chosen.minlayer},
          {"maxlayer", chosen.maxlayer ? json(*chosen.maxlayer) : json(nullptr)},
          {"prune_only", chosen.prune_only},
          {"invert", chosen.invert},
          {"eval_windows", chosen.eval_windows},
          {"seed", chosen.seed}};
}

json text_as_json(const text_use& text) {
  return {{"name", text.name}, {"file", text.file.string()}, {"tokens", text.tokens}, {"windows", text.windows}};
}

/// Columns of a matrix by their width.
std::map<int, std::int64_t> columns_by_width(const miq::layer_report& report) {
  std::map<int, std::int64_t> columns;
  for (const auto& group : report.groups) columns[group.bits] += group.columns;
  return columns;
}

json matrix_as_json(const matrix_entry& matrix) {
  const auto& report = matrix.report;
  json widths = json::object();
  for (const auto& [bits, columns] : columns_by_width(report)) widths[std::to_string(bits)] = columns;
  json groups = json::array();
  if (static_cast<std::int64_t>(report.groups.size()) <= most_listed_groups)
    for (const auto& group : report.groups)
      groups.push_back({{"parent", group.parent},
                        {"columns", group.columns},
                        {"bits", group.bits},
                        {"importance", group.importance},
                        {"kept", group.kept},
                        {"mi_within", group.mi_within},
                        {"mi_between", group.mi_between}});
  return {{"name", matrix.name},
          {"input", matrix.input},
          {"rows", matrix.rows},
          {"columns", matrix.columns},
          {"loss", report.loss},
          {"pruning_loss", report.pruning_loss},
          {"refit_loss", report.refit_loss},
          {"target_change", report.target_change},
          {"exchanged", report.exchanged},
          {"headroom_bits", report.headroom_bits},
          {"realised_bits", report.realised_bits},
          {"allocation_gap", report.allocation_gap},
          {"damping", report.damping},
          {"damping_raised", report.damping_raised},
          {"dead_columns", report.dead},
          {"clamped", report.clamped},
          {"sparsity", report.storage.sparsity()},
          {"bits_per_weight_stored", report.storage.bits_per_weight_stored()},
          {"bits_stored", report.storage.total()},
          {"bits_budget", report.budget_bits > 0 ? json(report.budget_bits) : json(nullptr)},
          {"columns_by_bits", widths},
          {"groups", groups}};
}

json input_as_json(const input_entry& input) {
  return {{"name", input.name},
          {"group_sizes", input.group_sizes},
          {"candidate_groups", input.candidate_groups},
          {"silhouettes", input.silhouettes},
          {"mean_mi", input.mean_mi},
          {"clamped_correlations", input.clamped},
          {"negative_information", input.negative},
          {"tokens", input.tokens},
          {"constant_columns", input.constant},
          {"isolated_columns", input.isolated}};
}

json method_as_json(const method_report& method) {
  json perplexity = json::object();
  for (const auto& text : method.texts) perplexity[text.name] = text.perplexity;
  json inputs = json::array();
  for (const auto& input : method.inputs)
    if (!input.group_sizes.empty()) inputs.push_back(input_as_json(input));
  json matrices = json::array();
  for (const auto& matrix : method.matrices) matrices.push_back(matrix_as_json(matrix));
  const auto& storage = method.storage;
  const auto& phases = method.phases;
  return {{"name", compress_opt::name_of(method.which)},
          {"perplexity", perplexity},
          {"sparsity", storage.sparsity()},
          {"bits_per_weight_stored", storage.bits_per_weight_stored()},
          {"bits_per_weight_without_metadata", storage.bits_per_weight_without_metadata()},
          {"storage",
           {{"weights", storage.weights},
            {"kept", storage.kept},
            {"codes", storage.code_bits},
            {"mask", storage.mask_bits},
            {"scales", storage.scale_bits},
            {"zero_points", storage.zero_bits},
            {"group_indices", storage.group_index_bits},
            {"widths", storage.width_bits},
            {"total", storage.total()},
            {"budget", method.budget_bits > 0 ? json(method.budget_bits) : json(nullptr)}}},
          {"seconds", method.seconds},
          {"peak_bytes", method.peak_bytes},
          {"phases",
           {{"forward", phases.forward},
            {"gram", phases.gram},
            {"solve", phases.solve},
            {"information", phases.information},
            {"grouping", phases.grouping},
            {"allocation", phases.allocation},
            {"evaluate", phases.evaluate}}},
          {"saved", method.saved.empty() ? json(nullptr) : json(method.saved.string())},
          {"inputs", inputs},
          {"layers", matrices}};
}

const method_report* find(const run_report& run, method which) {
  for (const auto& method : run.methods)
    if (method.which == which) return &method;
  return nullptr;
}

/// How much of the loss of `sparsegpt` the other methods make up for; empty if one of both ends is missing.
table_cells closure_cells(const run_report& run) {
  const auto* dense = find(run, method::dense);
  const auto* plain = find(run, method::sparsegpt);
  table_cells cells(1, {"method"});
  if (dense == nullptr || plain == nullptr || run.texts.empty()) return {};
  for (const auto& text : run.texts) cells.front().push_back(text.name);
  for (const auto& method : run.methods) {
    if (&method == dense || &method == plain) continue;
    auto& row = cells.emplace_back();
    row.emplace_back(compress_opt::name_of(method.which));
    for (std::size_t t = 0; t < run.texts.size(); ++t) {
      const double whole = std::log(plain->texts[t].perplexity / dense->texts[t].perplexity);
      const double part = std::log(plain->texts[t].perplexity / method.texts[t].perplexity);
      row.push_back(whole > 0 ? fixed(100 * part / whole, 1) + " %" : "no loss to close");
    }
  }
  return cells.size() > 1 ? cells : table_cells{};
}

std::string megabytes(std::int64_t bytes) { return fixed(static_cast<double>(bytes) / 1048576.0, 0) + " MiB"; }

}  // namespace

json report_as_json(const run_report& run) {
  json methods = json::array();
  for (const auto& method : run.methods) methods.push_back(method_as_json(method));
  json texts = json::array();
  for (const auto& text : run.texts) texts.push_back(text_as_json(text));
  json pictures = json::array();
  for (const auto& file : run.pictures) pictures.push_back(file.string());
  const auto& config = run.config;
  return {{"version", run.version},
          {"instruction_set", run.instruction_set},
          {"threads", run.threads},
          {"model",
           {{"directory", run.chosen.model.string()},
            {"layers", config.layers},
            {"hidden", config.hidden},
            {"heads", config.heads},
            {"feed_forward", config.feed_forward},
            {"context", config.context},
            {"vocabulary", config.vocabulary}}},
          {"options", options_as_json(run.chosen)},
          {"window_tokens", run.context},
          {"matrices_selected", run.selected},
          {"calibration", run.calibration.windows > 0 ? text_as_json(run.calibration) : json(nullptr)},
          {"texts", texts},
          {"peak_bytes_measured", run.peak_is_per_method ? "per method" : "whole process so far"},
          {"pictures", pictures},
          {"methods", methods}};
}

std::string report_as_markdown(const run_report& run) {
  std::string text = "# Performance report\n\n";
  text += "compress_opt " + run.version + ", " + run.instruction_set + ", " + std::to_string(run.threads) +
          (run.threads == 1 ? " thread" : " threads") + ".\n\n";
  const auto& chosen = run.chosen;
  text += "- Model: `" + chosen.model.string() + "`, " + std::to_string(run.config.layers) + " layers of " +
          std::to_string(run.config.hidden) + " channels; " + std::to_string(run.selected) + " of " +
          std::to_string(6 * run.config.layers) + " matrices are compressed.\n";
  if (run.calibration.windows > 0) {
    text += "- Calibration: " + std::to_string(run.calibration.windows) + " windows of " + std::to_string(run.context) +
            " tokens from `" + run.calibration.file.string() + "` (" + std::to_string(run.calibration.tokens) +
            " tokens).\n";
    text += "- Compression: " + fixed(100 * chosen.sparsity, 1) + " % of the weights masked, " +
            (chosen.quantises() ? std::to_string(chosen.wbits) + " bits (sparsegpt), a budget of " +
                                      fixed(chosen.average_bits(), 2) + " bits (enhanced, mi)"
                                : std::string("no quantisation")) +
            ", damping " + fixed(chosen.percdamp, 4) + ", seed " + std::to_string(chosen.seed) + ".\n";
  }
  for (const auto& use : run.texts)
    text += "- Text " + use.name + ": " + std::to_string(use.windows) + " windows of `" + use.file.string() + "`.\n";

  text += "\n## Result\n\n" + markdown_table(result_cells(run)) + "\n";
  text +=
      "`ppl`: perplexity. `bits/weight`: codes of kept weights, mask and all metadata (scales, zero points, widths, "
      "group indices), divided by all weights of the compressed matrices, masked ones included; `without metadata`: "
      "the codes alone. `seconds`: compression without evaluation and saving. `peak MiB`: largest resident memory, ";
  text += run.peak_is_per_method ? "measured anew for each method (the dense model is always in memory).\n"
                                 : "of the whole process up to then, since this system cannot reset it.\n";

  if (const auto cells = closure_cells(run); !cells.empty())
    text +=
        "\n## Closure\n\nThe share of sparsegpt's loss (logarithm of perplexity over dense) that a method makes up "
        "for; negative: it loses more.\n\n" +
        markdown_table(cells);

  table_cells bits = {{"method", "codes", "mask", "scales", "zero points", "group indices, widths", "total", "budget"}};
  for (const auto& method : run.methods) {
    const auto& storage = method.storage;
    const auto weights = static_cast<double>(std::max<std::int64_t>(storage.weights, 1));
    bits.push_back(
        {std::string(compress_opt::name_of(method.which)), fixed(storage.code_bits / weights, 4),
         fixed(storage.mask_bits / weights, 4), fixed(storage.scale_bits / weights, 4),
         fixed(storage.zero_bits / weights, 4), fixed((storage.group_index_bits + storage.width_bits) / weights, 4),
         fixed(storage.total() / weights, 4), method.budget_bits > 0 ? fixed(method.budget_bits / weights, 4) : "-"});
  }
  text += "\n## Stored bits per weight\n\n" + markdown_table(bits);

  table_cells times = {
      {"method", "forward", "gram", "solve", "information", "grouping", "allocation", "evaluate", "memory"}};
  for (const auto& method : run.methods) {
    const auto& p = method.phases;
    std::vector<std::string> row = {std::string(compress_opt::name_of(method.which))};
    for (const double seconds : {p.forward, p.gram, p.solve, p.information, p.grouping, p.allocation, p.evaluate})
      row.push_back(fixed(seconds, 2));
    row.push_back(megabytes(method.peak_bytes));
    times.push_back(std::move(row));
  }
  text += "\n## Seconds per phase\n\n" + markdown_table(times);

  for (const auto& method : run.methods) {
    if (method.matrices.empty()) continue;
    table_cells cells = {
        {"matrix", "shape", "loss", "damping", "dead columns", "stored bits/weight", "columns by bits"}};
    const bool grouped = method.which == method::mi;
    if (grouped)
      for (const auto* name : {"headroom, bits", "realised", "bits of the groups (columns)"})
        cells.front().emplace_back(name);
    for (const auto& matrix : method.matrices) {
      const auto& report = matrix.report;
      std::string widths;
      for (const auto& [width, columns] : columns_by_width(report))
        widths += (widths.empty() ? "" : ", ") + std::to_string(width) + ": " + std::to_string(columns);
      std::array<char, 40> loss{};
      std::snprintf(loss.data(), loss.size(), "%.4g", report.loss);
      cells.push_back({matrix.name, std::to_string(matrix.rows) + " x " + std::to_string(matrix.columns), loss.data(),
                       fixed(report.damping, 4) + (report.damping_raised > 0 ? " (raised)" : ""),
                       std::to_string(report.dead), fixed(report.storage.bits_per_weight_stored(), 3), widths});
      if (!grouped) continue;
      cells.back().push_back(fixed(report.headroom_bits, 3));
      cells.back().push_back(fixed(report.realised_bits, 3));
      std::string groups;
      if (static_cast<std::int64_t>(report.groups.size()) <= most_listed_groups)
        for (const auto& group : report.groups)
          groups +=
              (groups.empty() ? "" : ", ") + std::to_string(group.bits) + " (" + std::to_string(group.columns) + ")";
      cells.back().push_back(groups);
    }
    text += "\n## Matrices: " + std::string(compress_opt::name_of(method.which)) + "\n\n" + markdown_table(cells);
    if (grouped)
      text +=
          "\n`headroom`: what ideal unequal bits could gain over equal ones, in bits a weight, for the natural order "
          "of the "
          "columns; `realised`: what these widths gain of it.\n";
  }

  if (!run.pictures.empty()) {
    text += "\n## Groups\n\nPictures of " + std::to_string(chosen.pictures) +
            " layers at most, spread evenly (`--pictures`), of the method mi.\n";
    for (const auto& file : run.pictures) text += "\n![" + file.stem().string() + "](" + file.string() + ")\n";
  }
  return text;
}

report_folder::report_folder(std::filesystem::path folder, const options& chosen)
    : folder_(std::move(folder)), chosen_(chosen) {
  make_writable_folder(folder_, "the report folder");
}

bool report_folder::is_drawn(const grouped_input& input) const {
  if (input.which != method::mi || chosen_.pictures == 0) return false;
  if (chosen_.prune_only.empty() && input.input != layer_input::attention && input.input != layer_input::fc1)
    return false;
  const auto first = chosen_.invert ? 0 : chosen_.minlayer;
  const auto last =
      (chosen_.invert || !chosen_.maxlayer ? input.layers : std::min(*chosen_.maxlayer, input.layers)) - 1;
  const auto layers = last - first + 1;
  if (layers <= chosen_.pictures) return true;
  if (chosen_.pictures == 1) return input.layer == first;
  for (std::int64_t k = 0; k < chosen_.pictures; ++k)
    if (input.layer == first + k * (layers - 1) / (chosen_.pictures - 1)) return true;
  return false;
}

void report_folder::draw(const grouped_input& input) {
  if (!is_drawn(input) || input.shared.mi.empty()) return;
  const auto place = std::to_string(input.layer) + '.' + std::string(compress_opt::name_of(input.input));
  const auto what =
      "Layer " + std::to_string(input.layer) + ", input of " +
      (input.input == layer_input::attention ? "q, k and v" : std::string(compress_opt::name_of(input.input))) + ": ";
  const auto add = [&](const std::string& name, const canvas& picture) {
    picture.write_png(folder_ / name);
    pictures_.emplace_back(name);
  };
  add("mi_matrix_" + place + ".png",
      draw_information(what + "mutual information", input.shared.mi, input.shared.groups));
  add("grouping_" + place + ".png", draw_groups(what + std::to_string(input.shared.groups.groups()) + " groups",
                                                input.shared.mi, input.shared.groups, input.matrices));
}

void report_folder::write(run_report run) const {
  run.pictures = pictures_;
  // Names and paths from outside may not be UTF-8.
  write_whole_file(folder_ / "report.json",
                   report_as_json(run).dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  write_whole_file(folder_ / "performance_report.md", report_as_markdown(run));
}

}  // namespace compress_opt
