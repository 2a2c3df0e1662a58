// core/cuda_error.hpp: errors of the CUDA runtime and its libraries as exceptions.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>

#include <miq/core/error.hpp>

namespace miq {

/// A call of the CUDA runtime, of cuBLAS or of cuSOLVER failed, or the launch of a kernel did. The message names the
/// call or the kernel, and the runtime's own name and description of the error.
class cuda_error : public error {
 public:
  cuda_error(const std::string& message, int code) : error(message), code_(code) {}
  int code() const { return code_; }  ///< `cudaError_t`, `cublasStatus_t` or `cusolverStatus_t`

 private:
  int code_;
};

/// Throws `cuda_error` unless `code` is success; where memory has run out, `out_of_memory`. `call` names what returned
/// the code.
inline void check_cuda(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  const auto message = detail::join_message(call, ": ", cudaGetErrorName(code), ": ", cudaGetErrorString(code));
  // An error that does not stick is taken off the runtime's list, so that it is not reported again by the next launch.
  static_cast<void>(cudaGetLastError());
  if (code == cudaErrorMemoryAllocation) throw out_of_memory(message);
  throw cuda_error(message, static_cast<int>(code));
}

inline void check_blas(cublasStatus_t code, const char* call) {
  if (code == CUBLAS_STATUS_SUCCESS) return;
  const auto message = detail::join_message(call, ": ", cublasGetStatusName(code), ": ", cublasGetStatusString(code));
  if (code == CUBLAS_STATUS_ALLOC_FAILED) throw out_of_memory(message);
  throw cuda_error(message, static_cast<int>(code));
}

inline void check_solver(cusolverStatus_t code, const char* call) {
  if (code == CUSOLVER_STATUS_SUCCESS) return;
  const auto message = detail::join_message(call, ": cuSOLVER status ", static_cast<int>(code));
  if (code == CUSOLVER_STATUS_ALLOC_FAILED) throw out_of_memory(message);
  throw cuda_error(message, static_cast<int>(code));
}

}  // namespace miq
