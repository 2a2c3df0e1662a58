// The pipeline of compress_opt in one process: what it finds, what it stores, what it refuses.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/pipeline/compression.hpp"
#include "compress_opt/pipeline/peak_memory.hpp"
#include "compress_opt/pipeline/progress_display.hpp"
#include "pipeline_support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

const method_report& report_of(const run_report& run, method which) {
  for (const auto& method : run.methods)
    if (method.which == which) return method;
  throw std::runtime_error("the method was not run");
}

std::set<std::string> matrix_names(const method_report& report) {
  std::set<std::string> names;
  for (const auto& matrix : report.matrices) names.insert(matrix.name);
  return names;
}

template <class Error>
std::string refusal(const options& chosen) {
  return message_of<Error>([&] { run_compression(chosen); });
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Sets one float of a tensor in the model's file.
void change_weight(const fs::path& model, const std::string& tensor, float value) {
  auto file = safetensors_text::read(model / "model.safetensors");
  const auto begin = file.header.at(tensor).at("data_offsets").at(0).get<std::size_t>();
  std::memcpy(&file.data[begin + 8], &value, sizeof(value));
  file.write(model / "model.safetensors");
}

}  // namespace

TEST_CASE("all methods run, and those with a budget keep it", "[pipeline]") {
  const auto [sparsity, bits] =
      GENERATE(std::pair(0.0, 3), std::pair(0.0, 4), std::pair(0.5, 3), std::pair(0.5, 4), std::pair(0.7, 4));
  tiny_run tiny(seed());
  tiny.chosen.sparsity = sparsity;
  tiny.chosen.wbits = bits;
  INFO("sparsity " << sparsity << ", bits " << bits);
  const auto run = run_compression(tiny.chosen);
  REQUIRE(run.methods.size() == 4);
  CHECK(run.selected == 12);
  CHECK(run.context == tiny_context);
  CHECK(run.calibration.windows == 24);

  const auto& dense = report_of(run, method::dense);
  constexpr std::int64_t weights = tiny_layers * (4 * tiny_width * tiny_width + 2 * tiny_width * tiny_feed_forward);
  CHECK(dense.storage.weights == weights);
  CHECK(dense.storage.bits_per_weight_stored() == 16);
  CHECK(dense.storage.sparsity() == 0);
  CHECK(dense.matrices.empty());

  const auto& plain = report_of(run, method::sparsegpt);
  // Codes, 1 bit of mask where there is one, and for each row a scale of 16 bits and a zero point.
  double expected = 0;
  for (const auto& matrix : plain.matrices) {
    const auto all = matrix.rows * matrix.columns;
    const auto masked = static_cast<std::int64_t>(std::floor(sparsity * static_cast<double>(all)));
    expected += static_cast<double>((all - masked) * bits + (masked > 0 ? all : 0) + matrix.rows * (16 + bits));
  }
  CHECK(plain.storage.total() == expected);
  for (const auto which : {method::sparsegpt, method::enhanced, method::mi}) {
    const auto& found = report_of(run, which);
    INFO(name_of(which));
    CHECK(found.storage.weights == weights);
    CHECK(found.storage.kept == plain.storage.kept);
    CHECK(matrix_names(found).size() == 12);
    REQUIRE(found.texts.size() == 1);
    CHECK(std::isfinite(found.texts.front().perplexity));
    CHECK(found.storage.total() <= plain.storage.total());
    for (std::size_t m = 0; m < found.matrices.size(); ++m) {
      INFO(found.matrices[m].name);
      REQUIRE(found.matrices[m].name == plain.matrices[m].name);
      CHECK(found.matrices[m].report.storage.total() <= plain.matrices[m].report.storage.total());
    }
  }
  for (const auto which : {method::enhanced, method::mi})
    CHECK(report_of(run, which).budget_bits == Approx(plain.storage.total()).epsilon(1e-12));
  const auto& mi = report_of(run, method::mi);
  CHECK(mi.inputs.size() == 4 * tiny_layers);
  for (const auto& input : mi.inputs) {
    CHECK(input.group_sizes.size() == 4);
    CHECK(input.mean_mi > 0);
  }
}

TEST_CASE("a budget that metadata alone would use up is an error that names the matrix", "[pipeline]") {
  // fc2 of 32 rows and 80 columns keeps 768 weights: 3 bits uniformly are 768 * 3 + 32 * (16 + 3) = 2912 bits, but a
  // scale, a zero point and a width for each column with 2 bits are 768 * 2 + 80 * (16 + 2 + 3) = 3216.
  tiny_run tiny(1);
  tiny.chosen.methods = {method::enhanced};
  tiny.chosen.sparsity = 0.7;
  tiny.chosen.wbits = 3;
  const auto message = refusal<miq::invalid_argument>(tiny.chosen);
  CHECK(contains(message, "enhanced, 0.fc2"));
  CHECK(contains(message, "2912"));
  CHECK(contains(message, "3216"));
}

TEST_CASE("mi runs with every estimator and every grouping", "[pipeline]") {
  tiny_run tiny(seed());
  auto& chosen = tiny.chosen;
  chosen.methods = {method::mi};
  chosen.mi_tokens = 200;
  struct combination {
    const char* name;
    compress_opt::estimator estimator;
    compress_opt::grouping grouping;
    bool balanced = false;
    int n_groups = 4;
    normalisation how = normalisation::information_coefficient;
  };
  const combination all[] = {
      {"rank, spectral", estimator::rank, grouping::spectral},
      {"histogram, hierarchical", estimator::histogram, grouping::hierarchical, false, 4, normalisation::arithmetic},
      {"knn, kmeans", estimator::knn, grouping::kmeans},
      {"kde, balanced", estimator::kde, grouping::spectral, true},
      {"histogram, chosen", estimator::histogram, grouping::hierarchical, false, 0},
      {"correlation, kmeans, balanced, chosen", estimator::correlation, grouping::kmeans, true, 0}};
  for (const auto& each : all) {
    INFO(each.name);
    chosen.estimator = each.estimator;
    chosen.grouping = each.grouping;
    chosen.balanced = each.balanced;
    chosen.n_groups = each.n_groups;
    chosen.normalisation = each.how;
    const auto run = run_compression(chosen);
    for (const auto& input : run.methods.front().inputs) {
      std::int64_t columns = 0;
      for (const auto size : input.group_sizes) columns += size;
      CHECK((columns == 32 || columns == 80));
      if (each.n_groups > 0) CHECK(input.group_sizes.size() == 4);
      CHECK(input.candidate_groups.empty() == (each.n_groups > 0));
      if (each.balanced) {
        const auto [small, large] = std::minmax_element(input.group_sizes.begin(), input.group_sizes.end());
        CHECK(*large - *small <= 1);
      }
      if (each.estimator != estimator::correlation) CHECK(input.tokens == 200);
      CHECK(input.mean_mi > 0);
    }
    CHECK(std::isfinite(run.methods.front().texts.front().perplexity));
  }
}

TEST_CASE("results do not depend on the number of threads", "[pipeline]") {
  tiny_run tiny(seed());
  tiny.chosen.n_groups = GENERATE(4, 0);
  std::vector<run_report> runs;
  std::vector<std::string> files;
  for (const int threads : {1, 2, 5}) {
    tiny.chosen.threads = threads;
    tiny.chosen.save = tiny.directory / ("out" + std::to_string(threads));
    runs.push_back(run_compression(tiny.chosen));
    std::string all;
    for (const auto which : tiny.chosen.methods)
      all += read_text(tiny.chosen.save_directory(which) / "model.safetensors");
    files.push_back(all);
  }
  for (std::size_t r = 1; r < runs.size(); ++r) {
    CHECK(files[r] == files[0]);
    for (std::size_t m = 0; m < runs[0].methods.size(); ++m) {
      const auto& a = runs[0].methods[m];
      const auto& b = runs[r].methods[m];
      CHECK(a.texts.front().perplexity == b.texts.front().perplexity);
      CHECK(a.storage.total() == b.storage.total());
      REQUIRE(a.matrices.size() == b.matrices.size());
      for (std::size_t i = 0; i < a.matrices.size(); ++i) CHECK(a.matrices[i].report.loss == b.matrices[i].report.loss);
    }
  }
}

TEST_CASE("a saved model has the perplexity that was reported", "[pipeline]") {
  tiny_run tiny(seed());
  tiny.chosen.save = tiny.directory / "out";
  const auto run = run_compression(tiny.chosen);
  for (const auto& method : run.methods) {
    INFO(name_of(method.which));
    CHECK(method.saved == tiny.directory / "out" / std::string(name_of(method.which)));
    auto again = tiny.chosen;
    again.model = method.saved;
    again.methods = {method::dense};
    again.save.clear();
    CHECK(run_compression(again).methods.front().texts.front().perplexity == method.texts.front().perplexity);
  }
  // What is stored has the sparsity that was reported: masked weights are zeros in the file.
  const miq::host_executor exec({.threads = 1});
  const auto model = load_model(exec, tiny.directory / "out/sparsegpt");
  for (const auto& layer : model.layers)
    for (const auto id : all_linears) {
      const auto& weight = layer[id].weight;
      CHECK(std::count(weight.data(), weight.data() + weight.size(), 0.0F) >= weight.size() / 2);
    }
}

TEST_CASE("matrices that are not selected stay as they are", "[pipeline]") {
  tiny_run tiny(seed());
  tiny.chosen.methods = {method::sparsegpt};
  tiny.chosen.no_eval = true;
  tiny.chosen.eval.clear();
  tiny.chosen.save = tiny.directory / "out";
  std::set<std::string> expected;
  SECTION("by layer") {
    tiny.chosen.minlayer = 1;
    expected = {
        "1.self_attn.q_proj", "1.self_attn.k_proj", "1.self_attn.v_proj", "1.self_attn.out_proj", "1.fc1", "1.fc2"};
  }
  SECTION("by name") {
    tiny.chosen.prune_only = "fc2";
    expected = {"0.fc2", "1.fc2"};
  }
  SECTION("first layer, all but the names") {
    tiny.chosen.minlayer = 1;
    tiny.chosen.prune_only = "self_attn";
    tiny.chosen.invert = true;
    expected = {"0.self_attn.q_proj",
                "0.self_attn.k_proj",
                "0.self_attn.v_proj",
                "0.self_attn.out_proj",
                "0.fc1",
                "0.fc2",
                "1.fc1",
                "1.fc2"};
  }
  SECTION("one matrix of the last layer") {
    tiny.chosen.minlayer = 1;
    tiny.chosen.maxlayer = 2;
    tiny.chosen.prune_only = "k_proj";
    expected = {"1.self_attn.k_proj"};
  }
  const auto run = run_compression(tiny.chosen);
  CHECK(matrix_names(run.methods.front()) == expected);
  CHECK(run.selected == static_cast<std::int64_t>(expected.size()));
  const miq::host_executor exec({.threads = 1});
  const auto before = load_model(exec, tiny.chosen.model);
  const auto after = load_model(exec, tiny.chosen.save);
  for (std::size_t layer = 0; layer < before.layers.size(); ++layer)
    for (const auto id : all_linears) {
      const auto& a = before.layers[layer][id].weight;
      const auto& b = after.layers[layer][id].weight;
      const auto name = std::to_string(layer) + '.' + std::string(name_of(id));
      INFO(name);
      CHECK(std::equal(a.data(), a.data() + a.size(), b.data()) == !expected.contains(name));
    }
}

TEST_CASE("later layers are calibrated on what the compressed ones before them pass on", "[pipeline]") {
  tiny_run tiny(seed());
  tiny.chosen.methods = {method::sparsegpt};
  tiny.chosen.no_eval = true;
  tiny.chosen.eval.clear();
  tiny.chosen.sparsity = 0.7;
  const auto all = run_compression(tiny.chosen);
  tiny.chosen.minlayer = 1;
  const auto second_only = run_compression(tiny.chosen);
  tiny.chosen.minlayer = 0;
  tiny.chosen.maxlayer = 1;
  const auto first_only = run_compression(tiny.chosen);
  const auto loss = [](const run_report& run, const std::string& name) {
    for (const auto& matrix : run.methods.front().matrices)
      if (matrix.name == name) return matrix.report.loss;
    return std::numeric_limits<double>::quiet_NaN();
  };
  CHECK(loss(all, "0.fc1") == loss(first_only, "0.fc1"));
  CHECK(loss(all, "1.fc1") != loss(second_only, "1.fc1"));
  CHECK(std::isfinite(loss(second_only, "1.fc1")));
}

TEST_CASE("pruning alone stores 16 bits a kept weight", "[pipeline]") {
  tiny_run tiny(seed());
  tiny.chosen.wbits = 16;
  const auto run = run_compression(tiny.chosen);
  for (const auto which : {method::sparsegpt, method::enhanced, method::mi}) {
    const auto& found = report_of(run, which);
    CHECK(found.storage.sparsity() == 0.5);
    CHECK(found.storage.bits_per_weight_stored() == 9);
    CHECK(found.budget_bits == 0);
  }
}

TEST_CASE("layouts, allocations and a single window are accepted", "[pipeline]") {
  tiny_run tiny(seed());
  tiny.chosen.methods = {method::sparsegpt, method::mi};
  SECTION("layouts") {
    tiny.chosen.layout =
        GENERATE(miq::quantization::grid_layout::per_row_and_group, miq::quantization::grid_layout::per_group,
                 miq::quantization::grid_layout::per_column, miq::quantization::grid_layout::row_by_group,
                 miq::quantization::grid_layout::row_by_column);
    tiny.chosen.n_groups = 2;
    tiny.chosen.wbits = 6;
  }
  SECTION("allocations") {
    tiny.chosen.allocation = GENERATE(bits_by::threshold, bits_by::quantile, bits_by::greedy, bits_by::rate_distortion);
  }
  SECTION("one window") { tiny.chosen.nsamples = 1; }
  SECTION("shorter windows") { tiny.chosen.seqlen = 7; }
  SECTION("one group") { tiny.chosen.n_groups = 1; }
  SECTION("windows drawn at random") { tiny.chosen.random_windows = true; }
  SECTION("grids") {
    tiny.chosen.grid =
        GENERATE(miq::quantization::grid_symmetry::symmetric, miq::quantization::grid_symmetry::asymmetric);
    tiny.chosen.scales = miq::quantization::scale_format::float16;
    tiny.chosen.n_groups = 2;
  }
  SECTION("masks and saliencies") {
    tiny.chosen.mask_method = GENERATE(masks_by::sweep, masks_by::selection, masks_by::search);
    tiny.chosen.saliency = GENERATE(saliency::obs, saliency::wanda, saliency::magnitude);
  }
  SECTION("orders") { tiny.chosen.order = GENERATE(order::descending, order::by_group, order::representatives); }
  SECTION("controls") {
    tiny.chosen.grouping = GENERATE(grouping::random, grouping::contiguous, grouping::hessian, grouping::cost);
  }
  SECTION("N:M masks") {
    tiny.chosen.pattern_kept = 2;
    tiny.chosen.pattern_width = 4;
    tiny.chosen.mask_method = masks_by::sweep;
  }
  SECTION("calibration as a whole, without the dense model") {
    tiny.chosen.sequential = GENERATE(false, true);
    tiny.chosen.target_strength = GENERATE(0.0, 0.5);
    tiny.chosen.bias_correction = true;
  }
  const auto run = run_compression(tiny.chosen);
  CHECK(std::isfinite(run.methods.back().texts.front().perplexity));
  CHECK(report_of(run, method::mi).storage.total() <= report_of(run, method::sparsegpt).storage.total());
}

TEST_CASE("bad files are refused by name", "[pipeline]") {
  tiny_run tiny(1);
  const auto model = tiny.chosen.model;
  const auto text = tiny.directory / "text.txt";
  SECTION("an empty calibration text") {
    write_text(text, "");
    tiny.chosen.calibration = text;
    CHECK(contains(refusal<text_error>(tiny.chosen), text.string()));
  }
  SECTION("a text shorter than a window") {
    write_text(text, "Too short.");
    tiny.chosen.eval = {{"short", text}};
    CHECK(contains(refusal<text_error>(tiny.chosen), text.string()));
  }
  SECTION("a missing text") {
    tiny.chosen.calibration = tiny.directory / "nowhere.txt";
    CHECK(contains(refusal<text_error>(tiny.chosen), "nowhere.txt"));
  }
  SECTION("a weight that is not finite") {
    change_weight(model, "model.decoder.layers.1.fc1.weight", std::numeric_limits<float>::quiet_NaN());
    CHECK(contains(refusal<checkpoint_error>(tiny.chosen), "layers.1.fc1.weight"));
  }
  SECTION("a weight that makes activations overflow") {
    change_weight(model, "model.decoder.layers.0.fc1.weight", 3e38F);
    change_weight(model, "model.decoder.layers.0.fc2.weight", 3e38F);
    CHECK(contains(refusal<miq::error>(tiny.chosen), "sparsegpt, layer 0"));
  }
  SECTION("a truncated file") {
    const auto file = model / "model.safetensors";
    const auto bytes = read_text(file);
    write_text(file, bytes.substr(0, bytes.size() - 100));
    CHECK(contains(refusal<checkpoint_error>(tiny.chosen), "model.safetensors"));
  }
  SECTION("no model at all") {
    tiny.chosen.model = tiny.directory / "nothing";
    CHECK(contains(refusal<checkpoint_error>(tiny.chosen), "nothing"));
  }
  SECTION("a window longer than the context") {
    tiny.chosen.seqlen = tiny_context + 1;
    CHECK(contains(refusal<option_error>(tiny.chosen), "--seqlen"));
  }
  SECTION("a selection of nothing") {
    tiny.chosen.prune_only = "lm_head";
    CHECK(contains(refusal<option_error>(tiny.chosen), "--prune_only"));
    tiny.chosen.prune_only.clear();
    tiny.chosen.minlayer = tiny_layers;
    CHECK(contains(refusal<option_error>(tiny.chosen), "--minlayer"));
  }
  SECTION("a target that holds something else") {
    fs::create_directories(tiny.directory / "out/mi");
    write_text(tiny.directory / "out/mi/thesis.txt", "years of work");
    tiny.chosen.save = tiny.directory / "out";
    CHECK(contains(refusal<checkpoint_error>(tiny.chosen), "out/mi"));
    CHECK(read_text(tiny.directory / "out/mi/thesis.txt") == "years of work");
  }
  SECTION("a target whose parent is missing") {
    tiny.chosen.save = tiny.directory / "a/b/c";
    CHECK(contains(refusal<checkpoint_error>(tiny.chosen), (tiny.directory / "a/b").string()));
  }
}

TEST_CASE("progress rises to the end, and a refusal cancels without a trace", "[pipeline]") {
  tiny_run tiny(2);
  tiny.chosen.save = tiny.directory / "out";
  std::vector<double> fractions;
  std::set<std::string> phases;
  run_hooks hooks;
  hooks.progress = [&](const run_state& state) {
    fractions.push_back(state.fraction);
    phases.insert(std::string(state.phase));
    CHECK(state.layer <= state.layers);
    return true;
  };
  run_compression(tiny.chosen, hooks);
  CHECK(std::is_sorted(fractions.begin(), fractions.end()));
  CHECK(fractions.back() == Approx(1));
  for (const auto* phase : {"load", "forward", "factor", "sweep", "evaluate", "save"}) CHECK(phases.contains(phase));

  fs::remove_all(tiny.chosen.save);
  // Stop at a call drawn at random: nothing half-written may stay, but what was complete.
  miq::random_stream random(seed());
  const auto stop_at = random.below(fractions.size());
  INFO("stopped at call " << stop_at << " of " << fractions.size());
  std::uint64_t calls = 0;
  hooks.progress = [&](const run_state&) { return calls++ < stop_at; };
  CHECK_THROWS_AS(run_compression(tiny.chosen, hooks), miq::cancelled);
  const miq::host_executor exec({.threads = 1});
  if (fs::exists(tiny.chosen.save))
    for (const auto& entry : fs::directory_iterator(tiny.chosen.save)) {
      INFO(entry.path());
      CHECK_NOTHROW(load_model(exec, entry.path()));
    }
}

TEST_CASE("peak memory sees an allocation and can be reset", "[pipeline]") {
  const bool resettable = reset_peak_memory();
  const auto before = peak_memory();
  CHECK(before > 0);
  {
    std::vector<char> block(64 << 20, 1);
    CHECK(peak_memory() >= before + (60 << 20));
    CHECK(block.back() == 1);
  }
  if (!resettable) MIQ_SKIP("this system cannot reset the peak of memory");
  reset_peak_memory();
  CHECK(peak_memory() < before + (40 << 20));
}

TEST_CASE("the display shows place and remaining time", "[pipeline]") {
  CHECK(duration_text(0) == "0:00");
  CHECK(duration_text(65) == "1:05");
  CHECK(duration_text(7384) == "2:03:04");
  std::ostringstream plain;
  {
    progress_display display(plain, display_style::plain);
    display.show({"mi", "forward", 1, 4, 0.25}, 10);
    display.show({"mi", "sweep", 1, 4, 0.26}, 11);
    display.show({"mi", "forward", 2, 4, 0.5}, 20);
  }
  CHECK(plain.str() == "mi, layer 1/4 (0:30 left)\nmi, layer 2/4 (0:20 left)\n");
  std::ostringstream line;
  {
    progress_display display(line, display_style::line, 60);
    display.show({"mi", "sweep", 1, 4, 0.5}, 10);
    CHECK(contains(line.str(), "[############............] 50 %  0:10 left  mi, layer 1/4"));
    CHECK(line.str().size() <= 60 + 5);
  }
  CHECK(line.str().substr(line.str().size() - 5) == "\r\x1b[2K");
}
