// Two libraries of one process that hold miq's kernels for different architectures do not share them.
#include "library.hpp"

#include <string>

#include "test_support/device.hpp"

TEST_CASE("libraries of different architectures name their device code apart", "[package]") {
  const std::string first = namespace_of_80();
  const std::string second = namespace_of_90();
  CHECK_THAT(first, miq_test::contains("sm_800"));
  CHECK_THAT(second, miq_test::contains("sm_900"));
}

TEST_CASE("libraries of different architectures both run", "[package][device]") {
  MIQ_NEEDS_DEVICE();
  int major = 0;
  REQUIRE(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) == cudaSuccess);
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  miq::matrix<float> covariance(2, 2, 2.0F);
  covariance(0, 1) = covariance(1, 0) = 1;
  const miq_test::device_matrix<float> from(exec, covariance.view());
  const miq_test::device_matrix<float> mi(exec, 2, 2);
  // Machine code for 8.0 runs on 8.x, that for 9.0 on 9.0; CMake adds code for later architectures to both.
  information_of_80(exec, from.read().data(), 2, mi.view().data());
  CHECK(mi.fetch(exec)(0, 1) == Approx(0.143841036));
  if (major < 9) return;
  information_of_90(exec, from.read().data(), 2, mi.view().data());
  CHECK(mi.fetch(exec)(0, 1) == Approx(0.143841036));
}
