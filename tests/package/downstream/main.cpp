// Uses the library as a program of others would: prints the version and a sum that two threads made.
#include <cstdint>
#include <iostream>
#include <numeric>
#include <vector>

#include <Eigen/Core>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/version.hpp>

double sum_in_another_unit(const miq::host_executor& exec, miq::matrix_view<const float> values);

int main() {
  const miq::host_executor exec({.threads = 2});
  miq::matrix<float> values(100, 10, 1.0F);
  Eigen::Map<Eigen::MatrixXf>(values.data(), values.columns(), values.rows()) *= 2.0F;
  const double sum = sum_in_another_unit(exec, values);
  std::cout << "miq " << MIQ_VERSION_MAJOR << '.' << MIQ_VERSION_MINOR << '.' << MIQ_VERSION_PATCH << ", sum " << sum
            << '\n';
  return sum == 2000.0 ? 0 : 1;
}
