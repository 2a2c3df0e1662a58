// What the device at hand can do at most, beside the rates that the floors assume: a copy, and a product by cuBLAS, in
// the mode that executors use and in cuBLAS's default one.
#include "device_bench.hpp"

namespace miq_bench {
namespace {

void copy(benchmark::State& state) {
  const auto bytes = state.range(0);
  const auto from = there<std::byte>(bytes), to = there<std::byte>(bytes);
  miq::check_cuda(cudaMemsetAsync(from.data(), 0x5A, static_cast<std::size_t>(bytes), exec().stream()),
                  "cudaMemsetAsync");
  measure(state, {.bytes = 2 * static_cast<double>(bytes)},
          [&] { miq::copy(exec(), miq::vector_view<const std::byte, device_memory>(from.view()), to.view()); });
}

void multiply(benchmark::State& state, cublasMath_t mode) {
  const auto n = state.range(0);
  const auto size = static_cast<double>(n);
  const auto a = there(random_matrix(n, n, 1)), b = there(random_matrix(n, n, 1));
  const auto c = there<float>(n, n);
  cublasMath_t own{};
  miq::check_blas(cublasGetMathMode(exec().blas(), &own), "cublasGetMathMode");
  miq::check_blas(cublasSetMathMode(exec().blas(), mode), "cublasSetMathMode");
  measure(state, {.operations = 2 * size * size * size}, [&] {
    const float one = 1, zero = 0;
    miq::check_blas(cublasSgemm_64(exec().blas(), CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a.data(), n, b.data(), n,
                                   &zero, c.data(), n),
                    "cublasSgemm");
  });
  miq::check_blas(cublasSetMathMode(exec().blas(), own), "cublasSetMathMode");
}

}  // namespace

void add_ceilings(const sizes& size) {
  add("copy", size, 5, copy)->ArgName("bytes")->Arg(size(std::int64_t{4} << 30, 1000));
  add("multiply/pedantic", size, 5, [](benchmark::State& state) { multiply(state, CUBLAS_PEDANTIC_MATH); })
      ->ArgName("columns")
      ->Arg(size(8192, 50));
  add("multiply/default", size, 5, [](benchmark::State& state) { multiply(state, CUBLAS_DEFAULT_MATH); })
      ->ArgName("columns")
      ->Arg(size(8192, 50));
}

}  // namespace miq_bench
