// Computes the information of two channels on a device; without one, prints the error that says so.
#include <cstdio>

inline int run() {
  const miq::cuda_executor exec(nullptr);
  const float covariance[4] = {2, 1, 1, 2};
  float mi[4] = {};
  const miq::device_array<float> from(4, exec.stream()), to(4, exec.stream());
  miq::copy(exec, miq::vector_view<const float>(covariance, 4), from.view());
  miq::calibration::statistics_view<miq::device_memory> seen;
  seen.tokens = 1000;
  seen.covariance = from.as_matrix(2, 2);
  miq::information::correlation(exec, seen, to.as_matrix(2, 2));
  miq::copy(exec, miq::vector_view<const float, miq::device_memory>(to.view()), miq::vector_view<float>(mi, 4));
  exec.synchronise();
  std::printf("information %.6f\n", static_cast<double>(mi[1]));
  return 0;
}

int main() {
  try {
    return run();
  } catch (const miq::cuda_error& e) {
    std::printf("no device: %s\n", e.what());
    return 0;
  }
}
