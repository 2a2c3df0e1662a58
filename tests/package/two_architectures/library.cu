// A library that compiles miq's kernels for one architecture, and keeps them to itself.
#include <miq/information/correlation.cuh>

#include "library.hpp"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

using miq::device_memory;

extern "C" const char* JOIN(namespace_of_, ARCHITECTURE)() { return MIQ_STRINGIFY(MIQ_CUDA_NAMESPACE); }

extern "C" void JOIN(information_of_, ARCHITECTURE)(const miq::cuda_executor& exec, const float* covariance,
                                                    std::int64_t columns, float* mi) {
  miq::calibration::statistics_view<device_memory> seen;
  seen.tokens = 1000;
  seen.covariance = miq::matrix_view<const float, device_memory>(covariance, columns, columns);
  miq::information::correlation(exec, seen, miq::matrix_view<float, device_memory>(mi, columns, columns));
}
