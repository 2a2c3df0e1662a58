#include <miq/information/class_information.hpp>

#include <limits>
#include <numbers>
#include <vector>

#include "calibration/support.hpp"
#include "information/estimators_samples.hpp"
#include "information/estimators_values.hpp"
#include "information/samples.hpp"
#include "reference/information.hpp"
#include "test_support/catch.hpp"

using miq::information::class_information;
using miq::information::class_information_options;
using namespace miq_test;

namespace {

std::vector<float> of(const std::vector<std::int32_t>& labels, const miq::matrix<float>& samples,
                      const class_information_options& options = {}, int threads = 2) {
  std::vector<float> mi(static_cast<std::size_t>(samples.columns()), -1.0F);
  class_information(miq::host_executor({.threads = threads}), miq::vector_view<const std::int32_t>(labels), samples,
                    miq::vector_view<float>(mi), options);
  return mi;
}

std::vector<std::int32_t> random_labels(std::int64_t tokens, std::uint64_t below, std::uint64_t seed) {
  miq::random_stream random(seed);
  std::vector<std::int32_t> labels;
  for (std::int64_t t = 0; t < tokens; ++t)
    labels.push_back(static_cast<std::int32_t>(random.below(below)) * 1000 - 2000);
  return labels;
}

}  // namespace

TEST_CASE("labels and channels as in scikit-learn", "[class_information]") {
  reference_samples samples;
  for (std::int64_t k = 0; k < samples.x.size(); ++k)
    samples.x.data()[k] = std::nearbyint(samples.x.data()[k] * 65536) / 65536;
  const int ks[3] = {2, 3, 10};
  for (int row = 0; row < 3; ++row) {
    std::vector<float> mi(6);
    const auto result =
        class_information(miq::host_executor({.threads = 2}), miq::vector_view<const std::int32_t>(samples.labels),
                          samples.x, miq::vector_view<float>(mi), {.neighbours = ks[row], .noise = 0});
    CHECK(result.classes == expected::classes);
    CHECK(result.left_out == expected::left_out);
    for (std::size_t c = 0; c < 6; ++c) {
      CAPTURE(c, ks[row]);
      CHECK(std::max(mi[c], 0.0F) == Approx(expected::classification[row][c]).margin(1e-6).epsilon(1e-6));
    }
  }
}

TEST_CASE("labels and channels are the formula", "[class_information]") {
  const std::int64_t tokens = GENERATE(4, 17, 250);
  const int k = GENERATE(1, 3, 8);
  const auto below = GENERATE(2U, 5U, 100U);
  CAPTURE(tokens, k, below);
  auto samples = activations(tokens, 9, seed());
  const auto labels = random_labels(tokens, below, seed());
  const auto mi = of(labels, samples, {.neighbours = k, .noise = 0});
  std::int64_t repeated = 0;
  for (const auto l : labels) repeated += std::count(labels.begin(), labels.end(), l) > 1;
  for (std::int64_t c = 0; c < 9; ++c) {
    std::vector<double> x;
    for (const auto v : channel_of(samples, c)) x.push_back(static_cast<double>(v));
    const bool several = [&] {  // two labels that occur twice
      std::int32_t found = 0;
      bool any = false;
      for (const auto l : labels)
        if (std::count(labels.begin(), labels.end(), l) > 1) {
          if (any && l != found) return true;
          any = true;
          found = l;
        }
      return false;
    }();
    double lowest = 0, highest = 0;
    bool first = true;
    for (std::size_t t = 0; t < x.size(); ++t)
      if (std::count(labels.begin(), labels.end(), labels[t]) > 1) {
        lowest = first ? x[t] : std::min(lowest, x[t]);
        highest = first ? x[t] : std::max(highest, x[t]);
        first = false;
      }
    const auto expected = several && lowest != highest ? reference::ross(labels, x, k) : 0;
    CAPTURE(c);
    // Distances that are equal in the channel's own unit may differ by rounding when it is standardised (channel 3).
    CHECK(mi[static_cast<std::size_t>(c)] == Approx(expected).epsilon(1e-6).margin(c % 5 == 3 ? 0.2 : 1e-6));
  }
}

TEST_CASE("labels and channels of known information", "[class_information]") {
  const std::int64_t tokens = GENERATE(1000, 16'000);
  miq::random_stream random(seed());
  miq::matrix<float> samples(tokens, 5);
  std::vector<std::int32_t> labels;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto x = random.below(5);
    labels.push_back(static_cast<std::int32_t>(x) - 2);
    samples(t, 0) = static_cast<float>(static_cast<double>(x) + 2 * random.uniform());
    samples(t, 1) = static_cast<float>(random.normal());
    samples(t, 2) = static_cast<float>(static_cast<double>(x) + 0.5 * random.uniform());
    samples(t, 3) = 3.0F;
    samples(t, 4) = static_cast<float>(x / 2);  // two atoms of two labels, one of one
  }
  const auto mi = of(labels, samples);
  const double error = 5 / std::sqrt(static_cast<double>(tokens));
  CHECK(mi[0] == Approx(1.054920168).epsilon(0).margin(error));  // Gao et al. 2017
  CHECK(mi[1] == Approx(0).margin(error));
  CHECK(mi[2] == Approx(std::log(5.0)).epsilon(0).margin(error));  // the channel tells the label
  CHECK(mi[3] == 0.0F);
  CHECK(mi[4] == Approx(std::log(5.0) - 0.8 * std::numbers::ln2).epsilon(0).margin(error));
  const auto exact = of(labels, samples, {.noise = 0});
  CHECK(exact[4] == Approx(std::log(5.0) - 0.8 * std::numbers::ln2).epsilon(0).margin(error));
}

TEST_CASE("order of tokens, threads and units do not matter to labels and channels", "[class_information]") {
  const std::int64_t tokens = 397;
  auto samples = activations(tokens, 11, seed());
  for (std::int64_t t = 0; t < tokens; ++t) samples(t, 10) = static_cast<float>(t % 7);  // carried along as the label
  const auto labels_of = [](const miq::matrix<float>& x) {
    std::vector<std::int32_t> labels;
    for (std::int64_t t = 0; t < x.rows(); ++t) labels.push_back(static_cast<std::int32_t>(x(t, 10)));
    return labels;
  };
  const auto before = of(labels_of(samples), samples, {}, 1);
  const auto other = shuffled(samples, seed());
  CHECK(same_bits(before, of(labels_of(other), other)));
  CHECK(same_bits(before, of(labels_of(samples), samples, {}, 5)));
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t c = 0; c < 10; ++c) samples(t, c) *= 64;
  CHECK(same_bits(before, of(labels_of(samples), samples)));
}

TEST_CASE("labels and channels refuse what they cannot use", "[class_information]") {
  const miq::host_executor exec({.threads = 2});
  auto samples = activations(20, 3, seed());
  auto labels = random_labels(20, 2, seed());
  std::vector<float> mi(3, -1.0F);
  const auto call = [&](const class_information_options& options = {}) {
    return class_information(exec, miq::vector_view<const std::int32_t>(labels), samples, miq::vector_view<float>(mi),
                             options);
  };
  CHECK_THROWS_WITH(call({.neighbours = 0}), contains("neighbours"));
  CHECK_THROWS_WITH(call({.noise = 2}), contains("noise"));
  samples(3, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(call(), contains("class_information: samples must be finite") && contains("channel 1"));
  samples(3, 1) = 0;
  labels.push_back(1);
  CHECK_THROWS_WITH(call(), contains("labels must have 20 elements"));
  labels.pop_back();
  CHECK(mi == std::vector<float>(3, -1.0F));
  CHECK(call().few_tokens);
  // No label twice, or one only: nothing to tell apart.
  for (std::size_t t = 0; t < labels.size(); ++t) labels[t] = static_cast<std::int32_t>(t);
  const auto alone = call();
  CHECK(alone.left_out == 20);
  CHECK(alone.classes == 0);
  CHECK(mi == std::vector<float>(3, 0.0F));
  for (auto& l : labels) l = 4;
  CHECK(call().classes == 1);
  CHECK(mi == std::vector<float>(3, 0.0F));
  CHECK_THROWS_AS(class_information(exec, miq::vector_view<const std::int32_t>(labels), samples,
                                    miq::vector_view<float>(mi), {}, [](std::string_view, double) { return false; }),
                  miq::cancelled);
}
