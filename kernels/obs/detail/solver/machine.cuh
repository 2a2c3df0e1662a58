// obs/detail/solver/machine.cuh: the machine of obs/detail/factor/body.hpp on a stream; needs nvcc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <miq/core/machine.cuh>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// A `stream_machine` that also factors, by cuSOLVER, which reads columns where miq writes rows: a row-major matrix is
/// its transpose there.
class solver_machine : public miq::device::stream_machine {
 public:
  using stream_machine::stream_machine;

  /// A = L L^T in the lower triangle of a row-major matrix without padding; cuSOLVER sees its upper one.
  template <class T>
  std::int64_t cholesky_bytes(std::int64_t n) const {
    return static_cast<std::int64_t>(cholesky_sizes<T>(n, nullptr).device) + alignment - 1;
  }
  template <class T>
  void cholesky(const char* name, std::int64_t n, T* a, std::byte* scratch, std::int64_t bytes,
                std::int32_t* status) const {
    static_assert(sizeof(int) == sizeof(std::int32_t));
    std::vector<std::byte> host(cholesky_sizes<T>(n, a).host);
    const solver_parameters parameters;
    const auto spare = static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(scratch) % alignment);
    miq::check_solver(
        cusolverDnXpotrf(exec_.solver(), parameters.get(), CUBLAS_FILL_MODE_UPPER, n, type_of<T>, a, n, type_of<T>,
                         scratch + spare, static_cast<std::size_t>(bytes - spare), host.data(), host.size(), status),
        name);
    // cuSOLVER may read the host's scratch until the factorisation is done.
    if (!host.empty()) exec_.synchronise();
  }

 private:
  /// What device memory of the runtime has, and cuSOLVER may expect of its scratch.
  static constexpr std::int64_t alignment = 256;

  template <class T>
  static constexpr cudaDataType type_of = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;

  /// What cuSOLVER is told besides: nothing.
  class solver_parameters {
   public:
    solver_parameters() { miq::check_solver(cusolverDnCreateParams(&parameters_), "factor: cusolverDnCreateParams"); }
    solver_parameters(const solver_parameters&) = delete;
    solver_parameters& operator=(const solver_parameters&) = delete;
    ~solver_parameters() { static_cast<void>(cusolverDnDestroyParams(parameters_)); }
    cusolverDnParams_t get() const { return parameters_; }

   private:
    cusolverDnParams_t parameters_ = nullptr;
  };

  struct solver_sizes {
    std::size_t device = 0;
    std::size_t host = 0;
  };
  template <class T>
  solver_sizes cholesky_sizes(std::int64_t n, const T* a) const {
    solver_sizes sizes;
    const solver_parameters parameters;
    miq::check_solver(cusolverDnXpotrf_bufferSize(exec_.solver(), parameters.get(), CUBLAS_FILL_MODE_UPPER, n,
                                                  type_of<T>, a, n, type_of<T>, &sizes.device, &sizes.host),
                      "factor: cusolverDnXpotrf_bufferSize");
    return sizes;
  }
};

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
