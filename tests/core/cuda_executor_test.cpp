// The executor of CUDA streams, as a host compiler reads it: its errors where there is no device, copies where there
// is.
#include <miq/core/cuda_executor.hpp>

#include "test_support/device.hpp"

using miq::device_memory;
using miq::host_memory;

TEST_CASE("a missing device is a clear error", "[core][device]") {
  if (miq_test::no_device().empty()) MIQ_SKIP("there is a device");
  CHECK_THROWS_WITH(miq::cuda_executor(nullptr), miq_test::contains("cuda_executor: cudaGetDevice: cudaError"));
  try {
    const miq::cuda_executor exec(nullptr);
    FAIL("there is no device");
  } catch (const miq::cuda_error& e) {
    CHECK(e.code() != 0);
  }
}

TEST_CASE("errors of CUDA name the call", "[core]") {
  CHECK_NOTHROW(miq::check_cuda(cudaSuccess, "call"));
  CHECK_THROWS_AS(miq::check_cuda(cudaErrorMemoryAllocation, "call"), miq::out_of_memory);
  CHECK_THROWS_WITH(miq::check_cuda(cudaErrorInvalidValue, "some call"),
                    miq_test::contains("some call: cudaErrorInvalidValue: "));
  CHECK_THROWS_AS(miq::check_blas(CUBLAS_STATUS_ALLOC_FAILED, "call"), miq::out_of_memory);
  CHECK_THROWS_WITH(miq::check_blas(CUBLAS_STATUS_NOT_SUPPORTED, "product"),
                    miq_test::contains("product: CUBLAS_STATUS_NOT_SUPPORTED"));
  CHECK_THROWS_AS(miq::check_solver(CUSOLVER_STATUS_ALLOC_FAILED, "call"), miq::out_of_memory);
  CHECK_THROWS_AS(miq::check_solver(CUSOLVER_STATUS_INTERNAL_ERROR, "call"), miq::cuda_error);
}

namespace {

/// Host memory that stands in for a device's: what device_array and device_scratch do needs no device.
class counting_resource final : public miq::device_memory_resource {
 public:
  void* allocate(std::int64_t bytes, cudaStream_t) override {
    if (bytes > limit) throw miq::out_of_memory("counting_resource");
    live += bytes;
    ++calls;
    return ::operator new(static_cast<std::size_t>(bytes));
  }
  void deallocate(void* memory, std::int64_t bytes, cudaStream_t) noexcept override {
    live -= bytes;
    ::operator delete(memory);
  }
  std::int64_t live = 0;
  std::int64_t calls = 0;
  std::int64_t limit = 1 << 20;
};

}  // namespace

TEST_CASE("device arrays give back what they took", "[core]") {
  counting_resource resource;
  {
    miq::device_array<float> a(100, nullptr, resource);
    CHECK(resource.live == 400);
    miq::device_array<float> b = std::move(a);
    CHECK(b.size() == 100);
    CHECK(a.size() == 0);
    CHECK(b.as_matrix(4, 25).columns() == 25);
    CHECK_THROWS_WITH(b.as_matrix(4, 24), miq_test::contains("device_array: as_matrix must cover 100 elements"));
    a = miq::device_array<float>(7, nullptr, resource);
    CHECK(resource.live == 428);
    a = miq::device_array<float>(8, nullptr, resource);  // what was there goes at once
    CHECK(resource.live == 432);
    const miq::device_array<float> empty(0, nullptr, resource);
    CHECK(resource.calls == 3);
    CHECK_THROWS_AS(miq::device_array<float>(-1, nullptr, resource), miq::invalid_argument);
    CHECK_THROWS_AS(miq::device_array<float>(1 << 20, nullptr, resource), miq::out_of_memory);
  }
  CHECK(resource.live == 0);
}

TEST_CASE("device matrices know their extents", "[core]") {
  counting_resource resource;
  {
    miq::device_matrix<float> a(3, 5, nullptr, resource);
    CHECK(resource.live == 60);
    CHECK(a.view().rows() == 3);
    CHECK(a.view().leading() == 5);
    miq::device_matrix<float> b;
    CHECK(b.empty());
    b = std::move(a);
    CHECK(a.empty());
    CHECK(b.size() == 15);
    b = {};
    CHECK(resource.live == 0);
    CHECK_THROWS_WITH(miq::device_matrix<float>(-1, 2, nullptr, resource),
                      miq_test::contains("device_matrix: extents must not be negative, got [-1, 2]"));
    CHECK_THROWS_AS(miq::device_matrix<double>(std::int64_t{1} << 40, std::int64_t{1} << 40, nullptr, resource),
                    miq::invalid_argument);
  }
  CHECK(resource.live == 0);
}

TEST_CASE("device scratch is the caller's, or the resource's for the call", "[core]") {
  counting_resource resource;
  miq::detail::workspace_layout layout;
  const auto first = layout.add<float>(10);
  const auto second = layout.add<double>(3);
  {
    const miq::detail::device_scratch scratch("f", layout, {}, nullptr, resource);
    CHECK(resource.live == layout.bytes());
    CHECK(reinterpret_cast<std::uintptr_t>(scratch.at<float>(first)) % 64 == 0);
    CHECK(reinterpret_cast<std::byte*>(scratch.at<double>(second)) -
              reinterpret_cast<std::byte*>(scratch.at<float>(first)) ==
          64);
  }
  CHECK(resource.live == 0);
  std::vector<std::byte> given(static_cast<std::size_t>(layout.bytes()));
  {
    const miq::detail::device_scratch scratch("f", layout, {given.data(), layout.bytes()}, nullptr, resource);
    CHECK(resource.calls == 1);
    const auto* const end = reinterpret_cast<std::byte*>(scratch.at<double>(second) + 3);
    CHECK(end <= given.data() + given.size());
  }
  CHECK_THROWS_WITH(miq::detail::device_scratch("f", layout, {given.data(), layout.bytes() - 1}, nullptr, resource),
                    miq_test::contains("f: workspace must hold"));
}

TEST_CASE("copies to a device and back", "[core][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  const miq::cuda_executor exec(stream);
  miq::matrix<float> from(5, 7);
  for (std::int64_t k = 0; k < from.size(); ++k) from.data()[k] = static_cast<float>(k);
  const miq_test::device_matrix<float> there(exec, from.view());
  const auto back = there.fetch(exec);
  for (std::int64_t k = 0; k < from.size(); ++k) REQUIRE(back.data()[k] == from.data()[k]);
  miq::matrix<float> part(2, 3);
  miq::copy(exec, miq::matrix_view<const float, device_memory>(there.view().data() + 8, 2, 3, 7), part.view());
  exec.synchronise();
  CHECK(part(1, 2) == from(2, 3));
  CHECK_THROWS_AS(miq::copy(exec, there.read(), part.view()), miq::invalid_argument);
}

TEST_CASE("an executor keeps to its stream and to what it was given", "[core][device]") {
  MIQ_NEEDS_DEVICE();
  const miq_test::stream stream;
  cublasHandle_t blas = nullptr;
  REQUIRE(cublasCreate(&blas) == CUBLAS_STATUS_SUCCESS);
  {
    miq::cuda_executor exec(stream, {.blas = blas});
    CHECK(exec.blas() == blas);
    cudaStream_t of_blas = nullptr;
    REQUIRE(cublasGetStream(exec.blas(), &of_blas) == CUBLAS_STATUS_SUCCESS);
    CHECK(of_blas == exec.stream());
    const miq::cuda_executor moved = std::move(exec);
    CHECK(moved.blas() == blas);
    CHECK(moved.multiprocessors() > 0);
    CHECK(moved.block_memory() >= 48 * 1024);
  }
  CHECK(cublasSetStream(blas, nullptr) == CUBLAS_STATUS_SUCCESS);  // still alive
  CHECK(cublasDestroy(blas) == CUBLAS_STATUS_SUCCESS);
}
