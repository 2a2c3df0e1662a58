// The command line of compress_opt: what it means, and what it refuses.
#include <array>

#include "compress_opt/options.hpp"
#include "pipeline_support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

command_line parse(std::vector<const char*> words) {
  words.insert(words.begin(), "compress_opt");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

std::string refusal(const std::vector<const char*>& words) {
  return message_of<option_error>([&] { parse(words); });
}

}  // namespace

TEST_CASE("without arguments the embedded model is compressed by all methods", "[options]") {
  const auto line = parse({});
  REQUIRE(line.text.empty());
  const auto& chosen = line.chosen;
  CHECK(chosen.methods == std::vector{method::dense, method::sparsegpt, method::enhanced, method::mi});
  CHECK(chosen.nsamples == 64);
  CHECK(chosen.eval_windows == 160);
  CHECK(chosen.sparsity == 0.5);
  CHECK(chosen.wbits == 4);
  CHECK(chosen.average_bits() == 4);
  CHECK(chosen.percdamp == 0.01);
  const auto filled = with_defaults(chosen);
  CHECK(fs::exists(filled.model / "config.json"));
  CHECK(fs::exists(filled.calibration));
  REQUIRE(filled.eval.size() == 1);
  CHECK(filled.eval.front().name == "demo");
  CHECK(fs::exists(filled.eval.front().file));
}

TEST_CASE("a device that is not known is refused", "[options]") {
  CHECK(parse({}).chosen.on_device == device::cpu);
  CHECK_THAT(refusal({"--device", "tpu"}), contains("--device: must be one of cpu, cuda; got 'tpu'"));
}

TEST_CASE("every option reaches its field", "[options]") {
  const auto chosen = parse({"some/model",
                             "--device",
                             "cuda",
                             "--methods",
                             "mi,sparsegpt",
                             "--nsamples",
                             "7",
                             "--seqlen",
                             "33",
                             "--percdamp",
                             "0.2",
                             "--sparsity",
                             "0.7",
                             "--wbits",
                             "3",
                             "--n_groups",
                             "auto",
                             "--estimator",
                             "knn",
                             "--mi_tokens",
                             "512",
                             "--normalisation",
                             "none",
                             "--grouping",
                             "hierarchical",
                             "--linkage",
                             "complete",
                             "--allocation",
                             "quantile",
                             "--layout",
                             "A-group",
                             "--minlayer",
                             "1",
                             "--maxlayer",
                             "5",
                             "--prune_only",
                             "fc",
                             "--invert",
                             "--seed",
                             "18446744073709551615",
                             "--threads",
                             "3",
                             "--save",
                             "out",
                             "--report",
                             "rep",
                             "--eval",
                             "a=b=c",
                             "--eval",
                             "d=e",
                             "--calibration",
                             "cal",
                             "--eval_windows",
                             "9",
                             "--pictures",
                             "2",
                             "--target_avg_bits",
                             "3.5",
                             "--target_strength",
                             "0.25",
                             "--no_sequential",
                             "--bias_correction",
                             "--mask_method",
                             "selection",
                             "--saliency",
                             "wanda",
                             "--order",
                             "representatives",
                             "--refit",
                             "7",
                             "--grid",
                             "symmetric",
                             "--scales",
                             "float32",
                             "--random_windows",
                             "--save_format",
                             "miq"})
                          .chosen;
  CHECK(chosen.model == "some/model");
  CHECK(chosen.methods == std::vector{method::mi, method::sparsegpt});
  CHECK(chosen.nsamples == 7);
  CHECK(chosen.seqlen == 33);
  CHECK(chosen.on_device == device::cuda);
  CHECK(chosen.percdamp == 0.2);
  CHECK(chosen.sparsity == 0.7);
  CHECK(chosen.wbits == 3);
  CHECK(chosen.average_bits() == 3.5);
  CHECK(chosen.n_groups == 0);
  CHECK(chosen.estimator == estimator::knn);
  CHECK(name_of(chosen.estimator) == "knn");
  CHECK(chosen.mi_tokens == 512);
  CHECK(chosen.normalisation == normalisation::none);
  CHECK(chosen.grouping == grouping::hierarchical);
  CHECK(chosen.linkage == linkage::complete);
  CHECK_FALSE(chosen.balanced);
  CHECK(chosen.allocation == bits_by::quantile);
  CHECK(chosen.layout == miq::quantization::grid_layout::per_group);
  CHECK(chosen.split);
  CHECK(chosen.target_strength == 0.25);
  CHECK_FALSE(chosen.sequential);
  CHECK(chosen.bias_correction);
  CHECK(chosen.mask_method == masks_by::selection);
  CHECK(chosen.saliency == saliency::wanda);
  CHECK(chosen.order == order::representatives);
  CHECK(chosen.refit == 7);
  CHECK(chosen.grid == miq::quantization::grid_symmetry::symmetric);
  CHECK(chosen.scales == miq::quantization::scale_format::float32);
  CHECK(chosen.random_windows);
  CHECK(chosen.save_format == save_format::miq);
  CHECK(chosen.minlayer == 1);
  CHECK(chosen.maxlayer == 5);
  CHECK(chosen.prune_only == "fc");
  CHECK(chosen.invert);
  CHECK(chosen.seed == 18446744073709551615U);
  CHECK(chosen.threads == 3);
  CHECK(chosen.save == "out");
  CHECK(chosen.save_directory(method::mi) == "out/mi");
  CHECK(chosen.report == "rep");
  REQUIRE(chosen.eval.size() == 2);
  CHECK(chosen.eval[0].name == "a");
  CHECK(chosen.eval[0].file == "b=c");
  CHECK(chosen.eval_windows == 9);
  CHECK(chosen.pictures == 2);
  CHECK_FALSE(parse({"--no_split"}).chosen.split);
  const auto pattern = parse({"--pattern", "3:8"}).chosen;
  CHECK(pattern.pattern_kept == 3);
  CHECK(pattern.pattern_width == 8);
  CHECK(pattern.sparsity == 0.625);
  CHECK(parse({"--methods", "mi", "--save", "out"}).chosen.save_directory(method::mi) == "out");
}

TEST_CASE("help and version are texts", "[options]") {
  const auto help = parse({"--help"}).text;
  for (const auto* option : {"MODEL",      "--methods",   "--nsamples",    "--seqlen",
                             "--percdamp", "--sparsity",  "--wbits",       "--target_avg_bits",
                             "--n_groups", "--estimator", "--grouping",    "--allocation",
                             "--layout",   "--minlayer",  "--maxlayer",    "--prune_only",
                             "--invert",   "--seed",      "--threads",     "--save",
                             "--report",   "--eval",      "--calibration", "--eval_windows",
                             "--no_eval",  "--pictures"}) {
    INFO(option);
    CHECK(help.find(option) != std::string::npos);
  }
  CHECK(parse({"--version"}).text.find("compress_opt 0.1.0") == 0);
}

TEST_CASE("a refused command line names the option", "[options]") {
  struct refused {
    std::vector<const char*> words;
    const char* named;
  };
  const std::vector<refused> all = {
      {{"--frobnicate"}, "--frobnicate"},
      {{"--nsample", "3"}, "--nsample"},
      {{"model", "another"}, "another"},
      {{"--sparsity"}, "--sparsity"},
      {{"--sparsity", "half"}, "--sparsity"},
      {{"--sparsity", "1"}, "--sparsity"},
      {{"--sparsity", "-0.1"}, "--sparsity"},
      {{"--sparsity", "nan"}, "--sparsity"},
      {{"--wbits", "0"}, "--wbits"},
      {{"--wbits", "9"}, "--wbits"},
      {{"--wbits", "3.5"}, "--wbits"},
      {{"--target_avg_bits", "0.5"}, "--target_avg_bits"},
      {{"--target_avg_bits", "nan"}, "--target_avg_bits"},
      {{"--wbits", "16", "--target_avg_bits", "4"}, "--target_avg_bits"},
      {{"--wbits", "16", "--sparsity", "0"}, "--wbits"},
      {{"--wbits", "16", "--layout", "A"}, "--layout"},
      {{"--wbits", "16", "--allocation", "quantile"}, "--allocation"},
      {{"--percdamp", "-1"}, "--percdamp"},
      {{"--percdamp", "inf"}, "--percdamp"},
      {{"--nsamples", "0"}, "--nsamples"},
      {{"--nsamples", "99999999999999999999"}, "--nsamples"},
      {{"--seqlen", "1"}, "--seqlen"},
      {{"--seqlen", "0"}, "--seqlen"},
      {{"--eval_windows", "-1"}, "--eval_windows"},
      {{"--n_groups", "0"}, "--n_groups"},
      {{"--n_groups", "many"}, "--n_groups"},
      {{"--n_groups", "-3"}, "--n_groups"},
      {{"--estimator", "kraskov"}, "--estimator"},
      {{"--grouping", "ward"}, "--grouping"},
      {{"--grouping", "hierarchical", "--linkage", "median"}, "--linkage"},
      {{"--linkage", "ward"}, "--linkage"},
      {{"--mi_tokens", "100"}, "--mi_tokens"},
      {{"--estimator", "knn", "--mi_tokens", "3"}, "--mi_tokens"},
      {{"--normalisation", "arithmetic"}, "--normalisation"},
      {{"--normalisation", "entropy", "--estimator", "histogram"}, "--normalisation"},
      {{"--grouping", "hierarchical", "--balanced"}, "--balanced"},
      {{"--methods", "enhanced", "--balanced"}, "--balanced"},
      {{"--allocation", "fair"}, "--allocation"},
      {{"--target_strength", "1.5"}, "--target_strength"},
      {{"--target_strength", "nan"}, "--target_strength"},
      {{"--refit", "-2"}, "--refit"},
      {{"--grid", "round"}, "--grid"},
      {{"--scales", "float8"}, "--scales"},
      {{"--mask_method", "lottery"}, "--mask_method"},
      {{"--saliency", "taylor"}, "--saliency"},
      {{"--order", "shuffled"}, "--order"},
      {{"--pattern", "2-4"}, "--pattern"},
      {{"--pattern", "4:4"}, "--pattern"},
      {{"--pattern", "2:4", "--sparsity", "0.5"}, "--pattern"},
      {{"--pattern", "2:4", "--mask_method", "search"}, "--mask_method"},
      {{"--pattern", "2:4", "--order", "descending"}, "--order"},
      {{"--n_groups", "1", "--no_split"}, "--no_split"},
      {{"--allocation", "greedy", "--no_split"}, "--no_split"},
      {{"--methods", "sparsegpt", "--refit", "3"}, "--refit"},
      {{"--methods", "dense", "--random_windows"}, "--random_windows"},
      {{"--wbits", "16", "--grid", "symmetric"}, "--grid"},
      {{"--save_format", "gptq"}, "--save_format"},
      {{"--save", "out", "--save_format", "gguf"}, "--save_format"},
      {{"--layout", "C"}, "--layout"},
      {{"--minlayer", "-1"}, "--minlayer"},
      {{"--minlayer", "3", "--maxlayer", "3"}, "--maxlayer"},
      {{"--invert"}, "--invert"},
      {{"--threads", "-1"}, "--threads"},
      {{"--seed", "-1"}, "--seed"},
      {{"--methods", "dense,spqr"}, "--methods"},
      {{"--methods", "mi,mi"}, "--methods"},
      {{"--eval", "justafile"}, "--eval"},
      {{"--eval", "=file"}, "--eval"},
      {{"--eval", "a=x", "--eval", "a=y"}, "--eval"},
      {{"--no_eval", "--eval", "a=x"}, "--eval"},
      {{"--no_eval", "--eval_windows", "3"}, "--eval_windows"},
      {{"--no_eval", "--methods", "dense"}, "--no_eval"},
      {{"--methods", "dense", "--sparsity", "0.5"}, "--sparsity"},
      {{"--methods", "dense", "--calibration", "x"}, "--calibration"},
      {{"--methods", "sparsegpt", "--n_groups", "4"}, "--n_groups"},
      {{"--methods", "enhanced", "--layout", "A"}, "--layout"},
      {{"--methods", "sparsegpt", "--target_avg_bits", "3"}, "--target_avg_bits"},
      {{"--methods", "mi", "--wbits", "3", "--target_avg_bits", "3"}, "--wbits"},
      {{"--methods", "sparsegpt", "--allocation", "quantile"}, "--allocation"},
      {{"--pictures", "2"}, "--pictures"},
      {{"--report", "r", "--pictures", "-2"}, "--pictures"},
      {{"--save", "out", "--report", "./out/"}, "--save"},
      {{"--save", ""}, "--save"},
  };
  for (const auto& [words, named] : all) {
    std::string line;
    for (const auto* word : words) line += std::string(word) + ' ';
    INFO(line);
    const auto message = refusal(words);
    INFO(message);
    CHECK(message.rfind("(", 0) != 0);  // it was an option_error
    CHECK(message.find(named) != std::string::npos);
  }
}

TEST_CASE("another model needs texts of its own", "[options]") {
  options chosen;
  chosen.model = "elsewhere";
  const auto missing = [&] { return message_of<option_error>([&] { with_defaults(chosen); }); };
  CHECK(missing().find("--calibration") != std::string::npos);
  chosen.calibration = "text";
  CHECK(missing().find("--eval") != std::string::npos);
  chosen.no_eval = true;
  CHECK_NOTHROW(with_defaults(chosen));
  chosen.no_eval = false;
  chosen.methods = {method::dense};
  chosen.calibration.clear();
  chosen.eval = {{"a", "b"}};
  CHECK_NOTHROW(with_defaults(chosen));
}

TEST_CASE("matrices are selected as in SparseGPT's script", "[options]") {
  options chosen;
  CHECK(chosen.selects(0, "fc1"));
  chosen.minlayer = 1;
  chosen.maxlayer = 3;
  chosen.prune_only = "fc";
  CHECK_FALSE(chosen.selects(0, "fc1"));
  CHECK(chosen.selects(1, "fc1"));
  CHECK(chosen.selects(2, "fc2"));
  CHECK_FALSE(chosen.selects(2, "self_attn.q_proj"));
  CHECK_FALSE(chosen.selects(3, "fc1"));
  chosen.invert = true;
  CHECK(chosen.selects(0, "fc1"));
  CHECK_FALSE(chosen.selects(1, "fc1"));
  CHECK(chosen.selects(2, "self_attn.q_proj"));
  CHECK(chosen.selects(3, "fc1"));
}
