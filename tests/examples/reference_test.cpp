// The whole path against an independent PyTorch implementation of SparseGPT, on the same checkpoints, windows and
// texts.
//
// data/opt-demo-reference.jsonl holds one run a line: method, sparsity, bits, perplexity, and the loss of every matrix.
// Its conventions differ from miq's in three points, which the comparison takes into account:
// - H = 2/windows sum x x^T, where miq divides by tokens: its losses are larger by the context length;
// - a column without signal gets the diagonal entry 1 in those units, which enters the mean that scales the damping;
//   miq leaves such columns out of the mean;
// - scales are stored as float32.
// And in one more: its two passes through a layer share one key/value cache of transformers, so that in the second
// pass, which makes the next layer's input, attention still sees the keys and values of the uncompressed matrices. The
// strict comparison repeats that, to show that nothing else differs; the plain one propagates as miq does.
#include <miq/calibration/accumulator.hpp>
#include <miq/compress.hpp>
#include <miq/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/model/forward.hpp"
#include "compress_opt/tokenizer/byte_pair_tokenizer.hpp"
#include "compress_opt/tokenizer/token_windows.hpp"
#include "test_support/catch.hpp"
#include "test_support/shared_folder.hpp"

namespace {

using namespace compress_opt;
namespace fs = std::filesystem;

struct task {
  fs::path model;
  fs::path calibration;
  std::map<std::string, fs::path> texts;
  fs::path reference;
};

task embedded_task() {
  const fs::path data = fs::path(MIQ_SOURCE_DIR) / "examples/compress_opt/data";
  return {data / "opt-demo",
          data / "demo-text/calibration.txt",
          {{"demo", data / "demo-text/evaluation.txt"}},
          fs::path(MIQ_SOURCE_DIR) / "tests/examples/data/opt-demo-reference.jsonl"};
}

enum class propagation { compressed, stale_keys_and_values };

struct outcome {
  std::map<std::string, double> losses;      ///< of every matrix, in the reference's units
  std::map<std::string, double> perplexity;  ///< of every text
};

outcome run(const miq::host_executor& exec, const task& what, miq::compress_options options, propagation how,
            bool compress, bool evaluate, double perturbation = 0) {
  auto model = load_model(exec, what.model);
  // Every weight is changed by this share of itself, up or down.
  std::uint64_t index = 0;
  for (auto& layer : model.layers)
    for (const auto id : all_linears)
      for (std::int64_t i = 0; i < layer[id].weight.size(); ++i) {
        const double sign = (miq::random_hash(7, index++) & 1) != 0 ? 1 : -1;
        layer[id].weight.data()[i] *= static_cast<float>(1 + sign * perturbation);
      }
  const auto tokenizer = byte_pair_tokenizer::load(what.model);
  const auto context = model.config.context;
  forward_pass pass(exec, model);
  outcome result;
  if (compress) {
    const auto windows = calibration_windows(read_token_stream(tokenizer, what.calibration, model.config.bos_token),
                                             context, 64, "calibration");
    auto hidden = pass.embed(windows);
    for (std::int64_t i = 0; i < model.config.layers; ++i) {
      auto& layer = model.layers[static_cast<std::size_t>(i)];
      std::map<layer_input, miq::calibration::accumulator> inputs;
      pass.observe_layer(i, hidden, [&](layer_input input, miq::matrix_view<const float> x) {
        inputs.try_emplace(input, x.columns()).first->second.add(exec, x);
      });
      auto old_keys = layer.self_attn.k_proj.weight;
      auto old_values = layer.self_attn.v_proj.weight;
      for (const auto id : all_linears) {
        const auto seen = inputs.at(input_of(id)).finish(exec);
        // What the reference's damping is in units of the mean over columns with a signal.
        double total = 0;
        double live = 0;
        for (std::int64_t c = 0; c < seen.columns(); ++c) {
          const auto mean = static_cast<double>(seen.mean[static_cast<std::size_t>(c)]);
          total += 2 * (static_cast<double>(seen.covariance(c, c)) + mean * mean);
          live += seen.is_dead(c) ? 0 : 1;
        }
        const auto columns = static_cast<double>(seen.columns());
        const double reference_mean = (total + (columns - live) / static_cast<double>(context)) / columns;
        auto adjusted = options;
        adjusted.factor.damping *= reference_mean / (total / live);
        auto compressed = miq::compress(exec, layer[id].weight.view(), seen.view(), adjusted);
        layer[id].weight = std::move(compressed.weights);
        result.losses[std::to_string(i) + "." + std::string(name_of(id))] =
            compressed.report.loss * static_cast<double>(context);
      }
      const auto swap_old = [&] {
        if (how != propagation::stale_keys_and_values) return;
        layer.self_attn.k_proj.weight.swap(old_keys);
        layer.self_attn.v_proj.weight.swap(old_values);
      };
      swap_old();
      pass.run_layer(i, hidden);
      swap_old();
    }
  }
  if (!evaluate) return result;
  for (const auto& [name, file] : what.texts)
    result.perplexity[name] =
        pass.evaluate(
                evaluation_windows(read_token_stream(tokenizer, file, model.config.bos_token), context, 160, name))
            .perplexity;
  return result;
}

std::vector<nlohmann::json> reference_runs(const fs::path& file) {
  std::ifstream lines(file);
  std::vector<nlohmann::json> runs;
  for (std::string line; std::getline(lines, line);) runs.push_back(nlohmann::json::parse(line));
  return runs;
}

double relative_difference(double a, double b) { return std::abs(a / b - 1); }

/// @param evaluated  whether the perplexity of a run of this sparsity and these bits is compared, too
void compare_with_reference(const task& what, const std::function<bool(double sparsity, int bits)>& evaluated) {
  const miq::host_executor exec;
  int compared = 0;
  for (const auto& expected : reference_runs(what.reference)) {
    const auto method = expected["method"].get<std::string>();
    if (method != "dense" && (method != "sparsegpt" || expected["n"] != 0)) continue;
    const int bits = expected["bits"];
    auto options = miq::sparsegpt_options(expected["sparsity"].get<double>(), std::min(bits, 8));
    options.quantise = bits < 16;
    options.fit.format = miq::quantization::scale_format::float32;
    options.factor.damping = expected["percdamp"];
    INFO(method << ", sparsity " << expected["sparsity"] << ", bits " << bits << ", damping " << expected["percdamp"]);
    ++compared;

    const double sparsity = expected["sparsity"];
    const bool evaluate = evaluated(sparsity, bits);
    const auto difference = [&](const auto& text, double value) {
      return relative_difference(value, expected["perplexity"][text].template get<double>());
    };
    if (evaluate) {
      const auto plain = run(exec, what, options, propagation::compressed, method != "dense", true);
      // Where this is more than 0.5 % (opt-demo, 70 % pruned without bits: 79.39 here, 80.00 there; opt-mini, 50 % and
      // 4 bits: 62.90, 63.42), it is the reference's stale cache, as the strict comparison below shows.
      const double most = method == "dense" ? 1e-4 : 0.015;
      for (const auto& [text, value] : plain.perplexity) {
        INFO(text << ": " << value << ", reference " << expected["perplexity"][text]);
        CHECK(difference(text, value) < most);
      }
    }
    if (method == "dense") continue;

    const auto strict = run(exec, what, options, propagation::stale_keys_and_values, true, evaluate);
    for (const auto& [text, value] : strict.perplexity) {
      INFO(text << " with a stale cache: " << value << ", reference " << expected["perplexity"][text]);
      CHECK(difference(text, value) < 0.005);
    }
    // One code that rounds the other way changes what all later matrices see. How much such noise there is, a run shows
    // whose weights differ by 2e-6 of themselves; it is made where a loss of a later layer differs by more than 1 %,
    // and must be of that size, too. All of them together stay within 0.5 %.
    REQUIRE(strict.losses.size() == expected["losses"].size());
    std::optional<double> noise;
    double total = 0;
    for (const auto& [name, loss] : strict.losses) {
      const double apart = relative_difference(loss, expected["losses"][name].get<double>());
      total += apart;
      INFO(name << ": " << loss << ", reference " << expected["losses"][name]);
      if (apart < 0.01 || bits == 16 || name.starts_with("0.")) {
        CHECK(apart < 0.01);
        continue;
      }
      if (!noise) {
        noise = 0;
        const auto echo = run(exec, what, options, propagation::stale_keys_and_values, true, false, 2e-6);
        for (const auto& [other, echoed] : echo.losses)
          noise = std::max(*noise, relative_difference(echoed, strict.losses.at(other)));
      }
      WARN(name << " differs by " << 100 * apart << " % at sparsity " << sparsity << ", " << bits
                << " bits; rounding noise alone makes up to " << 100 * *noise << " % in one run");
      CHECK(*noise > 0.005);
      CHECK(apart < 0.05);
    }
    CHECK(total / static_cast<double>(strict.losses.size()) < 0.005);
  }
  CHECK(compared >= 10);
}

}  // namespace

TEST_CASE("opt-demo agrees with the PyTorch reference", "[reference]") {
  compare_with_reference(embedded_task(), [](double, int) { return true; });
}

TEST_CASE("opt-mini agrees with the PyTorch reference", "[reference]") {
  const auto model = miq_test::shared_path("models/opt-mini");
  const auto text = miq_test::shared_path("text");
  const auto reference = miq_test::shared_path("reference/opt-mini.jsonl");
  if (!model || !text || !reference) MIQ_SKIP("the shared folder with opt-mini is not there");
  compare_with_reference(
      {*model,
       *text / "calibration.txt",
       {{"wikitext2", *text / "wikitext2-test.txt"},
        {"bible", *text / "bible-test.txt"},
        {"docs", *text / "docs-test.txt"}},
       *reference},
      // Three long texts: the losses of all runs, the perplexity of the published point and without bits.
      [](double sparsity, int bits) { return sparsity == 0.5 && (bits == 4 || bits == 16); });
}
