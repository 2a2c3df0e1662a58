// Uses the library as a program of others would: five lines compress a layer.
#include <cmath>
#include <iostream>

#include <Eigen/Core>

#include <miq/calibration/accumulator.hpp>
#include <miq/compress.hpp>

double sum_in_another_unit(const miq::host_executor& exec, miq::matrix_view<const float> values);

int main() {
  miq::matrix<float> activations(500, 64);
  miq::matrix<float> weights(40, 64);
  Eigen::Map<Eigen::MatrixXf>(activations.data(), 64, 500).setRandom();
  Eigen::Map<Eigen::MatrixXf>(weights.data(), 64, 40).setRandom();

  const miq::host_executor exec({.threads = 2});
  miq::calibration::accumulator seen(activations.columns());
  seen.add(exec, activations.view());
  const auto options = miq::mi_options(0.5, 4.0);
  const auto layer = miq::compress(exec, weights.view(), seen.finish(exec).view(), options);

  const double sum = sum_in_another_unit(exec, layer.weights.view());
  std::cout << "miq " << MIQ_VERSION_MAJOR << '.' << MIQ_VERSION_MINOR << '.' << MIQ_VERSION_PATCH << ", sparsity "
            << layer.report.storage.sparsity() << ", sum " << sum << '\n';
  return layer.report.storage.sparsity() == 0.5 && std::isfinite(sum) ? 0 : 1;
}
