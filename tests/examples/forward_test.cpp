#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <miq/core/random.hpp>

#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/model/forward.hpp"
#include "reference_layer.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

void check_logits(const fs::path& model_directory, const fs::path& fixture) {
  const miq::host_executor exec({.threads = 2});
  const auto model = load_model(exec, model_directory);
  const auto expected = read_json(fixture);
  const auto logits = forward_pass(exec, model).logits(expected["ids"].get<std::vector<std::int32_t>>());
  REQUIRE(expected["logits"].size() == 6);
  for (const auto& [row, values] : expected["logits"].items()) {
    REQUIRE(static_cast<std::int64_t>(values.size()) == logits.columns());
    double worst = 0;
    for (std::int64_t i = 0; i < logits.columns(); ++i)
      worst = std::max(worst, std::abs(values[static_cast<std::size_t>(i)].get<double>() -
                                       static_cast<double>(logits(std::stoll(row), i))));
    INFO("token " << row);
    CHECK(worst < 2e-4);
  }
}

token_windows random_windows(std::int64_t count, std::int64_t context, std::int64_t vocabulary, std::uint64_t seed) {
  miq::random_stream random(seed);
  token_windows windows{{}, context};
  for (std::int64_t i = 0; i < count * context; ++i)
    windows.ids.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary))));
  return windows;
}

/// Small enough for naive loops; sizes that fit no tile.
opt_model random_model(bool norm_before, activation function, std::int64_t context, std::uint64_t seed) {
  opt_model model;
  auto& config = model.config;
  config = {.vocabulary = 701,
            .hidden = 21,
            .layers = 2,
            .heads = 3,
            .feed_forward = 37,
            .context = context,
            .embedding = 21,
            .feed_forward_activation = function,
            .layer_norm_before = norm_before,
            .has_final_layer_norm = norm_before};
  miq::random_stream random(seed);
  const auto fill = [&random](auto& values, std::size_t count, double mean, double deviation) {
    for (std::size_t i = 0; i < count; ++i) values.data()[i] = static_cast<float>(mean + deviation * random.normal());
  };
  const auto matrix = [&](std::int64_t rows, std::int64_t columns) {
    miq::matrix<float> m(rows, columns);
    fill(m, static_cast<std::size_t>(m.size()), 0, 0.4);
    return m;
  };
  const auto vector = [&](std::int64_t size, double mean) {
    std::vector<float> v(static_cast<std::size_t>(size));
    fill(v, v.size(), mean, 0.3);
    return v;
  };
  model.embed_tokens = matrix(config.vocabulary, config.hidden);
  model.embed_positions = matrix(config.context + 2, config.hidden);
  for (std::int64_t i = 0; i < config.layers; ++i) {
    decoder_layer layer;
    for (const auto id : all_linears) {
      const auto rows = id == linear_id::fc1 ? config.feed_forward : config.hidden;
      layer[id] = {matrix(rows, id == linear_id::fc2 ? config.feed_forward : config.hidden), vector(rows, 0)};
    }
    layer.self_attn_layer_norm = {vector(config.hidden, 1), vector(config.hidden, 0)};
    layer.final_layer_norm = {vector(config.hidden, 1), vector(config.hidden, 0)};
    model.layers.push_back(std::move(layer));
  }
  model.final_layer_norm = {vector(config.hidden, 1), vector(config.hidden, 0)};
  return model;
}

double worst_difference(const reference_matrix& expected, miq::matrix_view<const float> got) {
  REQUIRE(expected.rows() == got.rows());
  REQUIRE(expected.cols() == got.columns());
  double worst = 0;
  for (std::int64_t r = 0; r < got.rows(); ++r)
    for (std::int64_t c = 0; c < got.columns(); ++c)
      worst = std::max(worst, std::abs(expected(r, c) - static_cast<double>(got(r, c))));
  return worst;
}

bool same_bits(miq::matrix_view<const float> a, miq::matrix_view<const float> b) {
  return a.rows() == b.rows() && a.columns() == b.columns() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("logits are transformers', opt-demo", "[forward]") {
  check_logits(demo_model(), test_data() / "opt-demo-logits.json");
}

TEST_CASE("logits are transformers', opt-mini", "[forward]") {
  if (!fs::exists(shared_data() / "models/opt-mini"))
    MIQ_SKIP("opt-mini is not there: " + shared_data().string() + " (MIQ_TEST_MODELS names its folder)");
  check_logits(shared_data() / "models/opt-mini", shared_data() / "reference/logits-opt-mini.json");
}

TEST_CASE("layers and what is observed equal the formulas in double precision", "[forward]") {
  const auto norm_before = GENERATE(true, false);
  const auto context = GENERATE(1, 5, 64, 131);
  const auto model = random_model(norm_before, norm_before ? activation::relu : activation::gelu, context, seed());
  const miq::host_executor exec({.threads = 2});
  forward_pass pass(exec, model, {.tokens_per_batch = 2 * context});
  const auto windows = random_windows(3, context, model.config.vocabulary, seed());
  auto hidden = pass.embed(windows);

  std::vector<reference_matrix> expected;
  for (std::int64_t w = 0; w < windows.count(); ++w) expected.push_back(reference_embedding(model, windows[w]));
  for (std::int64_t index = 0; index < model.config.layers; ++index) {
    std::map<layer_input, reference_matrix> inputs;
    reference_matrix output(hidden.values.rows(), model.config.hidden);
    for (std::int64_t w = 0; w < windows.count(); ++w) {
      const auto one = reference_layer(model.config, model.layers[static_cast<std::size_t>(index)],
                                       expected[static_cast<std::size_t>(w)]);
      for (const auto& [input, values] : one.inputs) {
        auto& all = inputs.try_emplace(input, reference_matrix(hidden.values.rows(), values.cols())).first->second;
        all.middleRows(w * context, context) = values;
      }
      expected[static_cast<std::size_t>(w)] = one.output;
      output.middleRows(w * context, context) = one.output;
    }
    const auto before = hidden.values;
    std::map<layer_input, std::int64_t> seen;
    std::vector<layer_input> order;
    pass.observe_layer(index, hidden, [&](layer_input input, miq::matrix_view<const float> x) {
      CHECK(x.rows() <= 2 * context);
      CHECK(worst_difference(inputs.at(input).middleRows(seen[input], x.rows()), x) < 2e-4);
      seen[input] += x.rows();
      order.push_back(input);
    });
    CHECK(same_bits(before, hidden.values));
    REQUIRE(order.size() == 8);  // two batches
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == all_layer_inputs[i % 4]);
    for (const auto input : all_layer_inputs) CHECK(seen[input] == hidden.values.rows());
    pass.run_layer(index, hidden);
    CHECK(worst_difference(output, hidden.values) < 2e-4);
  }
}

TEST_CASE("one input of a layer alone is what an observer of the whole layer sees", "[forward]") {
  const bool norm_before = GENERATE(true, false);
  const auto model = random_model(norm_before, activation::relu, 13, seed());
  const miq::host_executor exec({.threads = 2});
  forward_pass pass(exec, model, {.tokens_per_batch = 40});
  forward_pass other(exec, model, {.tokens_per_batch = 40});
  const auto hidden = pass.embed(random_windows(7, 13, model.config.vocabulary, seed()));
  REQUIRE(pass.batches(hidden) == 3);
  std::map<layer_input, std::vector<float>> whole;
  pass.observe_layer(1, hidden, [&](layer_input input, miq::matrix_view<const float> x) {
    whole[input].insert(whole[input].end(), x.data(), x.data() + x.size());
  });
  for (const auto input : all_layer_inputs) {
    std::vector<float> seen;
    for (std::int64_t batch = 0; batch < 3; ++batch) {
      const auto x = other.input_of(1, input, hidden, batch);
      seen.insert(seen.end(), x.data(), x.data() + x.size());
    }
    CHECK(seen == whole[input]);
  }
  CHECK_THROWS_AS(pass.input_of(1, layer_input::fc1, hidden, 3), miq::invalid_argument);
}

TEST_CASE("losses are those of the logits", "[forward]") {
  const auto model = random_model(true, activation::relu, 19, seed());
  const miq::host_executor exec({.threads = 2});
  forward_pass pass(exec, model, {.tokens_per_batch = 50});
  const auto windows = random_windows(5, 19, model.config.vocabulary, seed());
  const auto result = pass.evaluate(windows);
  REQUIRE(result.losses.size() == 5);
  double total = 0;
  for (std::int64_t w = 0; w < 5; ++w) {
    const auto logits = pass.logits(windows[w]);
    double loss = 0;
    for (std::int64_t t = 0; t + 1 < 19; ++t) {
      double sum = 0;
      for (std::int64_t i = 0; i < logits.columns(); ++i) sum += std::exp(static_cast<double>(logits(t, i)));
      loss += std::log(sum) - static_cast<double>(logits(t, windows[w][static_cast<std::size_t>(t) + 1]));
    }
    CHECK(result.losses[static_cast<std::size_t>(w)] == Approx(loss / 18).epsilon(1e-6));
    total += loss / 18;
  }
  CHECK(result.perplexity == Approx(std::exp(total / 5)).epsilon(1e-6));
}

TEST_CASE("huge logits give finite losses", "[forward]") {
  auto model = random_model(true, activation::relu, 7, seed());
  for (auto& weight : model.final_layer_norm.weight) weight = 3000;
  const miq::host_executor exec({.threads = 1});
  const auto result = forward_pass(exec, model).evaluate(random_windows(2, 7, model.config.vocabulary, seed()));
  for (const double loss : result.losses) CHECK((std::isfinite(loss) && loss > 100));
}

TEST_CASE("the number of threads changes no bit", "[forward]") {
  const auto windows = random_windows(6, 256, 2048, seed());
  std::vector<double> losses;
  miq::matrix<float> states;
  for (const int threads : {1, 2, 3, 7}) {
    const miq::host_executor exec({.threads = threads});
    const auto model = load_model(exec, demo_model());
    forward_pass pass(exec, model);
    auto hidden = pass.embed(windows);
    pass.run_layer(0, hidden);
    const auto found = pass.evaluate(windows).losses;
    if (threads == 1) {
      states = hidden.values;
      losses = found;
    }
    CHECK(same_bits(states, hidden.values));
    CHECK(losses == found);
  }
}

TEST_CASE("the size of the batches changes next to nothing", "[forward]") {
  const miq::host_executor exec({.threads = 2});
  const auto model = load_model(exec, demo_model());
  const auto windows = random_windows(3, 200, 2048, seed());
  const auto together = forward_pass(exec, model).evaluate(windows).losses;
  const auto apart = forward_pass(exec, model, {.tokens_per_batch = 1}).evaluate(windows).losses;
  for (std::size_t i = 0; i < together.size(); ++i) CHECK(together[i] == Approx(apart[i]).epsilon(1e-6));
}

TEST_CASE("weights may change between two calls", "[forward]") {
  const miq::host_executor exec({.threads = 1});
  auto model = random_model(true, activation::relu, 9, seed());
  forward_pass pass(exec, model);
  const auto start = pass.embed(random_windows(1, 9, model.config.vocabulary, seed()));
  auto hidden = start;
  for (const auto id : {linear_id::out_proj, linear_id::fc2}) {
    auto& map = model.layers[0][id];
    map.weight = miq::matrix<float>(map.weight.rows(), map.weight.columns());
    std::fill(map.bias.begin(), map.bias.end(), 0.0F);
  }
  pass.run_layer(0, hidden);  // nothing is added to the residual stream now
  CHECK(same_bits(start.values, hidden.values));
}

TEST_CASE("the forward pass refuses what does not fit the model", "[forward]") {
  const miq::host_executor exec({.threads = 1});
  const auto model = random_model(true, activation::relu, 9, 1);
  forward_pass pass(exec, model);
  CHECK_THAT(message_of<miq::invalid_argument>([&] {
               pass.logits(std::vector<std::int32_t>{0, 701});
             }),
             contains("701") && contains("token 1"));
  CHECK_THROWS_AS(pass.logits(std::vector<std::int32_t>{-1}), miq::invalid_argument);
  CHECK_THROWS_AS(pass.logits(std::vector<std::int32_t>{}), miq::invalid_argument);
  CHECK_THROWS_AS(pass.logits(std::vector<std::int32_t>(10, 0)), miq::invalid_argument);
  CHECK_THROWS_AS(pass.evaluate({{1, 2, 3}, 1}), miq::invalid_argument);
  CHECK_THROWS_AS(pass.evaluate({{1, 2, 3}, 2}), miq::invalid_argument);
  CHECK_THROWS_AS(pass.evaluate({{}, 2}), miq::invalid_argument);
  CHECK_THROWS_AS(forward_pass(exec, model, {.tokens_per_batch = 0}), miq::invalid_argument);
  auto hidden = pass.embed({{1, 2, 3, 4}, 2});
  CHECK_THROWS_AS(pass.losses(hidden, {{1, 2, 3, 4}, 4}), miq::invalid_argument);
  CHECK_THROWS(pass.run_layer(2, hidden));
  hidden.values = miq::matrix<float>(4, 20);
  CHECK_THROWS_AS(pass.run_layer(0, hidden), miq::invalid_argument);
}

TEST_CASE("evaluation reports its progress and can be cancelled", "[forward]") {
  const miq::host_executor exec({.threads = 1});
  const auto model = random_model(true, activation::relu, 9, 1);
  forward_pass pass(exec, model, {.tokens_per_batch = 9});
  double last = 0;
  pass.evaluate(random_windows(4, 9, 701, 1), [&](std::string_view phase, double fraction) {
    CHECK(phase == "evaluate");
    CHECK(fraction >= last);
    last = fraction;
    return true;
  });
  CHECK(last == 1);
  CHECK_THROWS_AS(pass.evaluate(random_windows(4, 9, 701, 1), [](std::string_view, double) { return false; }),
                  miq::cancelled);
}
