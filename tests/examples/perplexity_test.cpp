// The protocol of the PyTorch figures: stream = token 2, then the whole file; the first 160 consecutive windows.
#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/model/forward.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

double dense_perplexity(const fs::path& directory, const fs::path& text) {
  const miq::host_executor exec;
  const auto model = load_model(exec, directory);
  const auto stream = read_token_stream(byte_pair_tokenizer::load(directory), text, model.config.bos_token);
  return forward_pass(exec, model)
      .evaluate(evaluation_windows(stream, model.config.context, 160, text.string()))
      .perplexity;
}

}  // namespace

TEST_CASE("dense perplexity of opt-demo is PyTorch's", "[perplexity]") {
  CHECK(dense_perplexity(demo_model(), demo_data() / "demo-text/evaluation.txt") == Approx(61.6806).epsilon(1e-4));
}

TEST_CASE("dense perplexities of opt-mini are PyTorch's", "[perplexity]") {
  if (!fs::exists(shared_data() / "models/opt-mini"))
    MIQ_SKIP("opt-mini is not there: " + shared_data().string() + " (MIQ_TEST_MODELS names its folder)");
  const auto model = shared_data() / "models/opt-mini", text = shared_data() / "text";
  CHECK(dense_perplexity(model, text / "wikitext2-test.txt") == Approx(62.3268).epsilon(1e-4));
  CHECK(dense_perplexity(model, text / "bible-test.txt") == Approx(26.3355).epsilon(1e-4));
  CHECK(dense_perplexity(model, text / "docs-test.txt") == Approx(42.3153).epsilon(1e-4));
}
