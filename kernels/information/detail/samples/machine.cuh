// information/detail/samples/machine.cuh: the machine of the estimators from samples on a device; needs nvcc.
#pragma once

#include <cub/device/device_segmented_radix_sort.cuh>

#include <miq/core/machine.cuh>
#include <miq/information/detail/histogram/schedule.hpp>

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// A `stream_machine` that also sorts and multiplies bytes.
class sample_machine : public stream_machine {
 public:
  using stream_machine::stream_machine;

  /// CUB's segmented radix sort; the number of items of one call is below 2^31, which the caller sees to.
  std::uint32_t* sort_rows(std::uint32_t* keys, std::uint32_t* other, std::int64_t rows, std::int64_t columns,
                           const std::int32_t* offsets, std::byte* scratch) const {
    cub::DoubleBuffer<std::uint32_t> buffers(keys, other);
    const auto items = static_cast<int>(rows * columns), segments = static_cast<int>(rows);
    std::size_t bytes = 0;
    const auto sort = [&](void* memory) {
      check_cuda(cub::DeviceSegmentedRadixSort::SortKeys(memory, bytes, buffers, items, segments, offsets, offsets + 1,
                                                         0, 32, exec_.stream()),
                 "cub::DeviceSegmentedRadixSort::SortKeys");
    };
    sort(nullptr);
    if (bytes > static_cast<std::size_t>(information::detail::sort_scratch_bytes))
      throw out_of_memory(detail::join_message("cub::DeviceSegmentedRadixSort::SortKeys: asks for ", bytes,
                                               " bytes of scratch, has ", information::detail::sort_scratch_bytes));
    sort(scratch);
    return buffers.Current();
  }

  /// out = left right^T of bytes in integers: exact, so that the handle's mode for floats need not slow it down.
  void multiply_codes(std::int64_t rows, std::int64_t columns, std::int64_t tokens, const std::int8_t* left,
                      const std::int8_t* right, std::int64_t leading, std::int32_t* out,
                      std::int64_t out_leading) const {
    const std::int32_t one = 1, zero = 0;
    const default_math mode(exec_.blas());
    check_blas(cublasGemmEx_64(exec_.blas(), CUBLAS_OP_T, CUBLAS_OP_N, columns, rows, tokens, &one, right, CUDA_R_8I,
                               leading, left, CUDA_R_8I, leading, &zero, out, CUDA_R_32I, out_leading,
                               CUBLAS_COMPUTE_32I, CUBLAS_GEMM_DEFAULT),
               "cublasGemmEx of 8-bit integers");
  }

 private:
  /// The handle's default mode for a scope: `CUBLAS_PEDANTIC_MATH`, which executors set for floats, may keep cuBLAS
  /// from the units for 8-bit integers.
  class default_math {
   public:
    explicit default_math(cublasHandle_t blas) : blas_(blas) {
      check_blas(cublasGetMathMode(blas, &before_), "cublasGetMathMode");
      check_blas(cublasSetMathMode(blas, CUBLAS_DEFAULT_MATH), "cublasSetMathMode");
    }
    default_math(const default_math&) = delete;
    default_math& operator=(const default_math&) = delete;
    ~default_math() { static_cast<void>(cublasSetMathMode(blas_, before_)); }

   private:
    cublasHandle_t blas_;
    cublasMath_t before_ = CUBLAS_DEFAULT_MATH;
  };
};

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
