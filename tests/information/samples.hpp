// Samples of known mutual information, for the tests of the estimators.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>

namespace miq_test {

/// A distribution of pairs with known mutual information in nats (Czyz et al. 2023, "Beyond Normal"; Gao et al. 2017).
struct known_pair {
  std::string name;
  double nats;
  /// Standard deviation of ln(p(x, y) / (p(x) p(y))), or a bound for it: the part of an estimate's error that no
  /// estimator avoids is this over the root of the number of tokens.
  double deviation;
  std::function<void(miq::random_stream&, double&, double&)> draw;
};

inline known_pair gaussian(double rho, double nats) {
  return {"Gaussian, correlation " + std::to_string(rho), nats, std::abs(rho),
          [rho](miq::random_stream& random, double& x, double& y) {
            x = random.normal();
            y = rho * x + std::sqrt(1 - rho * rho) * random.normal();
          }};
}

inline known_pair uniform_with_noise(double width, double nats) {
  return {"uniform plus uniform noise of " + std::to_string(width), nats, 1,
          [width](miq::random_stream& random, double& x, double& y) {
            x = random.uniform();
            y = x + width * (2 * random.uniform() - 1);
          }};
}

inline known_pair student(int degrees, double nats) {
  return {"Student t, degrees " + std::to_string(degrees), nats, 1,
          [degrees](miq::random_stream& random, double& x, double& y) {
            double square = 0;
            for (int i = 0; i < degrees; ++i) square += std::pow(random.normal(), 2);
            const double scale = std::sqrt(degrees / square);
            x = scale * random.normal();
            y = scale * random.normal();
          }};
}

/// x ~ Gamma(1), y ~ Exponential with rate x: psi(2) - ln 1. The logarithm of y, since y has no mean to be centred by;
/// monotone maps keep the information.
inline known_pair gamma_exponential() {
  return {"gamma-exponential, theta 1", 0.422784335, 1, [](miq::random_stream& random, double& x, double& y) {
            x = -std::log(1 - random.uniform());
            y = std::log(-std::log(1 - random.uniform()) / x);
          }};
}

inline known_pair mixed() {
  return {"x uniform on 0 to 4, y uniform on [x, x + 2]", 1.054920168, 1,
          [](miq::random_stream& random, double& x, double& y) {
            x = static_cast<double>(random.below(5));
            y = x + 2 * random.uniform();
          }};
}

/// One channel pair of a distribution, [tokens, 2].
inline miq::matrix<float> draw(const known_pair& pair, std::int64_t tokens, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> samples(tokens, 2);
  for (std::int64_t t = 0; t < tokens; ++t) {
    double x = 0, y = 0;
    pair.draw(random, x, y);
    samples(t, 0) = static_cast<float>(x);
    samples(t, 1) = static_cast<float>(y);
  }
  return samples;
}

inline std::vector<float> channel_of(miq::matrix_view<const float> samples, std::int64_t c) {
  std::vector<float> values;
  for (std::int64_t t = 0; t < samples.rows(); ++t) values.push_back(samples(t, c));
  return values;
}

/// The tokens in another order.
inline miq::matrix<float> shuffled(miq::matrix_view<const float> samples, std::uint64_t seed) {
  miq::random_stream random(seed);
  std::vector<std::int64_t> order;
  for (std::int64_t t = 0; t < samples.rows(); ++t) order.push_back(t);
  for (std::size_t t = order.size(); t > 1; --t) std::swap(order[t - 1], order[random.below(t)]);
  miq::matrix<float> result(samples.rows(), samples.columns());
  for (std::int64_t t = 0; t < samples.rows(); ++t)
    for (std::int64_t c = 0; c < samples.columns(); ++c) result(t, c) = samples(order[static_cast<std::size_t>(t)], c);
  return result;
}

/// What layers of a network give: dense and correlated, with zeros of a ReLU, heavy-tailed, of few bits, dead.
inline miq::matrix<float> activations(std::int64_t tokens, std::int64_t channels, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> samples(tokens, channels);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double common = random.normal();
    for (std::int64_t c = 0; c < channels; ++c) {
      double v = 0.8 * common + 0.6 * random.normal();
      if (c % 5 == 1) v = std::max(v, 0.0);
      if (c % 5 == 2) v = v * v * v / std::max(0.05, random.uniform());
      if (c % 5 == 3) v = std::round(v * 16) / 16;
      if (c % 5 == 4 && c % 10 == 9) v = 0.25;
      samples(t, c) = static_cast<float>(v);
    }
  }
  return samples;
}

}  // namespace miq_test
