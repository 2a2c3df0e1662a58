// Budgets over layers against closed forms and against trying all choices.
#include <miq/allocation/layers.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <miq/core/random.hpp>
#include "test_support/catch.hpp"

using namespace miq::allocation;

TEST_CASE("bits over layers follow half the logarithm of the layers' weights", "[allocation]") {
  // Equal layers, errors 4^-b: a layer whose error costs 4^k as much gets k bits more (water-filling, all whole).
  std::vector<layer_curves> layers(3);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    std::vector<rate_option> options;
    for (int bits = 1; bits <= 8; ++bits) options.push_back({100.0 * bits, std::pow(4.0, -bits)});
    for (int group = 0; group < 2; ++group) layers[l].curves.add(options);
    layers[l].weight = std::pow(4.0, static_cast<double>(l));
  }
  const auto result = allocate_over_layers(layers, 6 * 100 * 4);
  CHECK(result.chosen == std::vector<std::vector<std::int32_t>>{{2, 2}, {3, 3}, {4, 4}});  // 3, 4 and 5 bits
  CHECK(result.stored_bits == std::vector<double>{600, 800, 1000});
  CHECK(result.output_error[2] == 2 * std::pow(4.0, -5));
  CHECK(result.total.distortion == Approx(6 * std::pow(4.0, -3)));
  CHECK(result.total.optimal);
}

TEST_CASE("budgets over layers are the best of all choices", "[allocation]") {
  miq::random_stream random(miq_test::seed());
  for (int trial = 0; trial < 30; ++trial) {
    std::vector<layer_curves> layers(3);
    for (auto& layer : layers) {
      std::vector<rate_option> options;
      for (int k = 0; k < 5; ++k) options.push_back({static_cast<double>(random.below(50)), random.uniform()});
      options.push_back({0, 2});
      layer.curves.add(options);
      layer.weight = 3 * random.uniform();
    }
    const auto budget = static_cast<double>(random.below(120));
    double best = std::numeric_limits<double>::infinity();
    for (const auto& a : layers[0].curves[0])
      for (const auto& b : layers[1].curves[0])
        for (const auto& c : layers[2].curves[0])
          if (a.stored_bits + b.stored_bits + c.stored_bits <= budget)
            best = std::min(best, layers[0].weight * a.distortion + layers[1].weight * b.distortion +
                                      layers[2].weight * c.distortion);
    const auto result = allocate_over_layers(layers, budget);
    CHECK(result.total.distortion == Approx(best));
    double weighted = 0;
    double stored = 0;
    for (std::size_t l = 0; l < 3; ++l) {
      weighted += layers[l].weight * result.output_error[l];
      stored += result.stored_bits[l];
    }
    CHECK(weighted == Approx(best));
    CHECK(stored == result.total.stored_bits);
    CHECK(stored <= budget);
  }
}

TEST_CASE("sparsity over layers keeps exactly what may be kept", "[allocation]") {
  const std::vector<double> sparsities{0.5, 0.6, 0.7, 0.8, 0.9};
  // Two layers of 1000 weights; the second loses nine times as much at every sparsity s, the first s^2 / (1 - s).
  std::vector<layer_curves> layers(2);
  for (std::size_t l = 0; l < 2; ++l) {
    std::vector<double> losses;
    for (const auto s : sparsities) losses.push_back((l == 0 ? 1 : 9) * s * s / (1 - s));
    layers[l].curves.add(sparsity_options(1000, sparsities, losses));
  }
  const auto result = allocate_over_layers(layers, 600);  // 70 % of all
  CHECK(result.total.stored_bits == 600);
  // By hand: 0.7 + 0.7 loses 16.3; 0.8 + 0.6 3.2 + 8.1 = 11.3; 0.9 + 0.5 8.1 + 4.5 = 12.6.
  CHECK(result.chosen == std::vector<std::vector<std::int32_t>>{{3}, {1}});
  CHECK(result.total.distortion == Approx(11.3));
  CHECK(sparsity_options(7, std::vector<double>{0.7}, std::vector<double>{1})[0].stored_bits == 3);  // 7 - floor(4.9)
}

TEST_CASE("allocate_over_layers names what it cannot accept", "[allocation]") {
  std::vector<layer_curves> layers(1);
  layers[0].curves.add({{5, 1}});
  CHECK_THROWS_AS(allocate_over_layers(layers, 4), miq::invalid_argument);
  CHECK(allocate_over_layers({}, 4).chosen.empty());
  for (const double wrong : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    layers[0].weight = wrong;
    CHECK_THROWS_AS(allocate_over_layers(layers, 10), miq::invalid_argument);
  }
  const std::vector<double> one{0.5};
  CHECK_THROWS_AS(sparsity_options(-1, one, one), miq::invalid_argument);
  CHECK_THROWS_AS(sparsity_options(5, one, {}), miq::invalid_argument);
  CHECK_THROWS_AS(sparsity_options(5, std::vector<double>{1.5}, one), miq::invalid_argument);
  CHECK_THROWS_AS(sparsity_options(5, one, std::vector<double>{-1}), miq::invalid_argument);
}
