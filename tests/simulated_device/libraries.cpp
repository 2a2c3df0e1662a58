// cuBLAS and cuSOLVER on the simulated device, by Eigen.
#include <cublas_v2.h>
#include <cusolverDn.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <Eigen/Cholesky>
#include <Eigen/Dense>

#include "simulated_device/device.hpp"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t mode = CUBLAS_DEFAULT_MATH;
};
struct cusolverDnContext {
  cudaStream_t stream = nullptr;
};
struct cusolverDnParams {};

namespace {

template <class T>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T>
using map = Eigen::Map<matrix<T>, 0, Eigen::OuterStride<>>;
template <class T>
using const_map = Eigen::Map<const matrix<T>, 0, Eigen::OuterStride<>>;

/// A matrix by columns as the library's arguments give it.
template <class T>
simulated::range extent(const T* begin, std::int64_t rows, std::int64_t columns, std::int64_t leading) {
  return simulated::reads(begin, rows == 0 || columns == 0 ? 0 : (columns - 1) * leading + rows);
}
bool leads(std::int64_t leading, std::int64_t rows) { return leading >= std::max<std::int64_t>(1, rows); }

/// C = alpha op(A) op(B) + beta C; C is not read where beta is 0.
template <class T, class Out>
void multiply(cublasOperation_t of_a, cublasOperation_t of_b, std::int64_t m, std::int64_t n, std::int64_t k, Out alpha,
              const T* a, std::int64_t lda, const T* b, std::int64_t ldb, Out beta, Out* c, std::int64_t ldc) {
  const const_map<T> left(a, of_a == CUBLAS_OP_N ? m : k, of_a == CUBLAS_OP_N ? k : m, Eigen::OuterStride<>(lda));
  const const_map<T> right(b, of_b == CUBLAS_OP_N ? k : n, of_b == CUBLAS_OP_N ? n : k, Eigen::OuterStride<>(ldb));
  const matrix<Out> l =
      of_a == CUBLAS_OP_N ? matrix<Out>(left.template cast<Out>()) : matrix<Out>(left.transpose().template cast<Out>());
  const matrix<Out> r = of_b == CUBLAS_OP_N ? matrix<Out>(right.template cast<Out>())
                                            : matrix<Out>(right.transpose().template cast<Out>());
  map<Out> out(c, m, n, Eigen::OuterStride<>(ldc));
  if (beta == Out(0))
    out.noalias() = alpha * (l * r);
  else
    out = beta * out + alpha * (l * r);
}

/// `count` products at given distances.
template <class T>
cublasStatus_t multiply_many(cublasHandle_t handle, const char* name, cublasOperation_t of_a, cublasOperation_t of_b,
                             std::int64_t m, std::int64_t n, std::int64_t k, const T* alpha, const T* a,
                             std::int64_t lda, std::int64_t stride_a, const T* b, std::int64_t ldb,
                             std::int64_t stride_b, const T* beta, T* c, std::int64_t ldc, std::int64_t stride_c,
                             std::int64_t count) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const auto rows_a = of_a == CUBLAS_OP_N ? m : k, columns_a = of_a == CUBLAS_OP_N ? k : m;
  const auto rows_b = of_b == CUBLAS_OP_N ? k : n, columns_b = of_b == CUBLAS_OP_N ? n : k;
  if (m < 0 || n < 0 || k < 0 || count < 0 || !leads(lda, rows_a) || !leads(ldb, rows_b) || !leads(ldc, m))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (m == 0 || n == 0 || count == 0) return CUBLAS_STATUS_SUCCESS;
  const T scale = *alpha, old = *beta;
  const auto last = count - 1;
  const auto code =
      simulated::enqueue(handle->stream, name,
                         {extent(a, rows_a, columns_a, lda), extent(a + last * stride_a, rows_a, columns_a, lda),
                          extent(b, rows_b, columns_b, ldb), extent(b + last * stride_b, rows_b, columns_b, ldb),
                          extent(c, m, n, ldc), extent(c + last * stride_c, m, n, ldc)},
                         [=] {
                           for (std::int64_t i = 0; i < count; ++i)
                             multiply<T, T>(of_a, of_b, m, n, k, scale, a + i * stride_a, lda, b + i * stride_b, ldb,
                                            old, c + i * stride_c, ldc);
                         });
  return code == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

/// 0, or the order of the leading minor that is not positive definite.
template <class T>
int factorise(cublasFillMode_t fill, std::int64_t n, T* a, std::int64_t lda) {
  map<T> m(a, n, n, Eigen::OuterStride<>(lda));
  matrix<T> lower = fill == CUBLAS_FILL_MODE_LOWER ? matrix<T>(m) : matrix<T>(m.transpose());
  const auto failed = Eigen::internal::llt_inplace<T, Eigen::Lower>::blocked(lower);
  if (fill == CUBLAS_FILL_MODE_LOWER)
    m.template triangularView<Eigen::Lower>() = lower;
  else
    m.template triangularView<Eigen::Upper>() = lower.transpose();
  return static_cast<int>(failed + 1);
}

}  // namespace

const char* cublasGetStatusName(cublasStatus_t code) {
  switch (code) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unknown status";
}
const char* cublasGetStatusString(cublasStatus_t code) { return cublasGetStatusName(code); }
cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t* stream) {
  *stream = handle->stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t, void* memory, std::size_t) {
  return reinterpret_cast<std::uintptr_t>(memory) % 256 == 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  handle->mode = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  *mode = handle->mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetPointerMode(cublasHandle_t, cublasPointerMode_t mode) {
  return mode == CUBLAS_POINTER_MODE_HOST ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasSgemmStridedBatched_64(cublasHandle_t handle, cublasOperation_t of_a, cublasOperation_t of_b,
                                            std::int64_t m, std::int64_t n, std::int64_t k, const float* alpha,
                                            const float* a, std::int64_t lda, long long stride_a, const float* b,
                                            std::int64_t ldb, long long stride_b, const float* beta, float* c,
                                            std::int64_t ldc, long long stride_c, std::int64_t count) {
  return multiply_many(handle, "cublasSgemm", of_a, of_b, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c,
                       ldc, stride_c, count);
}
cublasStatus_t cublasDgemmStridedBatched_64(cublasHandle_t handle, cublasOperation_t of_a, cublasOperation_t of_b,
                                            std::int64_t m, std::int64_t n, std::int64_t k, const double* alpha,
                                            const double* a, std::int64_t lda, long long stride_a, const double* b,
                                            std::int64_t ldb, long long stride_b, const double* beta, double* c,
                                            std::int64_t ldc, long long stride_c, std::int64_t count) {
  return multiply_many(handle, "cublasDgemm", of_a, of_b, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c,
                       ldc, stride_c, count);
}
cublasStatus_t cublasSgemm_64(cublasHandle_t handle, cublasOperation_t of_a, cublasOperation_t of_b, std::int64_t m,
                              std::int64_t n, std::int64_t k, const float* alpha, const float* a, std::int64_t lda,
                              const float* b, std::int64_t ldb, const float* beta, float* c, std::int64_t ldc) {
  return cublasSgemmStridedBatched_64(handle, of_a, of_b, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);
}
cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t of_a, cublasOperation_t of_b, std::int64_t m,
                               std::int64_t n, std::int64_t k, const void* alpha, const void* a, cudaDataType type_a,
                               std::int64_t lda, const void* b, cudaDataType type_b, std::int64_t ldb, const void* beta,
                               void* c, cudaDataType type_c, std::int64_t ldc, cublasComputeType_t compute,
                               cublasGemmAlgo_t) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (type_a != CUDA_R_8I || type_b != CUDA_R_8I || type_c != CUDA_R_32I || compute != CUBLAS_COMPUTE_32I)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto rows_a = of_a == CUBLAS_OP_N ? m : k, columns_a = of_a == CUBLAS_OP_N ? k : m;
  const auto rows_b = of_b == CUBLAS_OP_N ? k : n, columns_b = of_b == CUBLAS_OP_N ? n : k;
  if (m < 0 || n < 0 || k < 0 || !leads(lda, rows_a) || !leads(ldb, rows_b) || !leads(ldc, m))
    return CUBLAS_STATUS_INVALID_VALUE;
  // What the documentation asks of 8-bit operands.
  if (lda % 4 != 0 || ldb % 4 != 0 || reinterpret_cast<std::uintptr_t>(a) % 4 != 0 ||
      reinterpret_cast<std::uintptr_t>(b) % 4 != 0)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto* const left = static_cast<const std::int8_t*>(a);
  const auto* const right = static_cast<const std::int8_t*>(b);
  auto* const out = static_cast<std::int32_t*>(c);
  const auto scale = *static_cast<const std::int32_t*>(alpha), old = *static_cast<const std::int32_t*>(beta);
  const auto code = simulated::enqueue(
      handle->stream, "cublasGemmEx",
      {extent(left, rows_a, columns_a, lda), extent(right, rows_b, columns_b, ldb), extent(out, m, n, ldc)},
      [=] { multiply<std::int8_t, std::int32_t>(of_a, of_b, m, n, k, scale, left, lda, right, ldb, old, out, ldc); });
  return code == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  *handle = new cusolverDnContext;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
  delete handle;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* parameters) {
  *parameters = new cusolverDnParams;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t parameters) {
  delete parameters;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnXpotrf_bufferSize(cusolverDnHandle_t handle, cusolverDnParams_t parameters, cublasFillMode_t,
                                             std::int64_t n, cudaDataType type, const void*, std::int64_t lda,
                                             cudaDataType compute, std::size_t* device_bytes, std::size_t* host_bytes) {
  if (handle == nullptr || parameters == nullptr || n < 0 || !leads(lda, n) || type != compute)
    return CUSOLVER_STATUS_INVALID_VALUE;
  *device_bytes = 1024 + static_cast<std::size_t>(n) * 64;
  *host_bytes = 100;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnXpotrf(cusolverDnHandle_t handle, cusolverDnParams_t parameters, cublasFillMode_t fill,
                                  std::int64_t n, cudaDataType type, void* a, std::int64_t lda, cudaDataType compute,
                                  void* device_scratch, std::size_t device_bytes, void* host_scratch,
                                  std::size_t host_bytes, int* info) {
  std::size_t needed = 0, needed_on_host = 0;
  const auto checked =
      cusolverDnXpotrf_bufferSize(handle, parameters, fill, n, type, a, lda, compute, &needed, &needed_on_host);
  if (checked != CUSOLVER_STATUS_SUCCESS) return checked;
  if (device_bytes < needed || host_bytes < needed_on_host || host_scratch == nullptr)
    return CUSOLVER_STATUS_INVALID_VALUE;
  const bool single = type == CUDA_R_32F;
  const auto matrix_range =
      single ? extent(static_cast<const float*>(a), n, n, lda) : extent(static_cast<const double*>(a), n, n, lda);
  const auto code = simulated::enqueue(
      handle->stream, "cusolverDnXpotrf",
      {matrix_range, {device_scratch, static_cast<std::int64_t>(device_bytes)}, simulated::writes(info, 1)}, [=] {
        std::memset(device_scratch, 0xFF, device_bytes);  // its own to spoil
        std::memset(host_scratch, 0xFF, host_bytes);
        *info =
            single ? factorise(fill, n, static_cast<float*>(a), lda) : factorise(fill, n, static_cast<double*>(a), lda);
      });
  return code == cudaSuccess ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_INTERNAL_ERROR;
}
