// Matrix products of row-major float matrices on the calling thread, by Eigen's kernels without Eigen's threads.
#pragma once

#include <Eigen/Core>
#include <cstdint>

#if defined(_OPENMP) && !defined(EIGEN_DONT_PARALLELIZE)
#include <omp.h>
#endif

#include <miq/core/detail/operand.hpp>
#include <miq/core/version.hpp>

namespace miq::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// c += alpha * op(a) * op(b), where op(a) is [rows, depth] and op(b) [depth, columns], all stored row by row with the
/// given leading dimensions. Calls Eigen's product one level below the place where it would start OpenMP threads (a
/// program compiled with OpenMP has that switched on), since miq's own threads already share the work.
template <operand A, operand B>
void multiply_add(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const float* a,
                  std::int64_t a_leading, const float* b, std::int64_t b_leading, float* c, std::int64_t c_leading) {
  if (rows == 0 || columns == 0 || depth == 0) return;
  // Eigen's kernel writes by columns, so it gets the transposed problem: c^T += alpha * op(b)^T op(a)^T.
  constexpr int left = B == operand::as_is ? Eigen::ColMajor : Eigen::RowMajor;
  constexpr int right = A == operand::as_is ? Eigen::ColMajor : Eigen::RowMajor;
  using kernel = Eigen::internal::general_matrix_matrix_product<Eigen::Index, float, left, false, float, right, false,
                                                                Eigen::ColMajor, 1>;
  Eigen::internal::gemm_blocking_space<Eigen::ColMajor, float, float, Eigen::Dynamic, Eigen::Dynamic, Eigen::Dynamic, 1,
                                       false>
      blocking(columns, rows, depth, 1, true);
  kernel::run(columns, rows, depth, b, b_leading, a, a_leading, c, 1, c_leading, alpha, blocking, nullptr);
}

/// While it lives, Eigen's larger algorithms called from this thread start no OpenMP threads (unless the program has
/// asked for a number of them by `Eigen::setNbThreads`, which is global and not ours to change).
class eigen_on_one_thread {
 public:
#if defined(_OPENMP) && !defined(EIGEN_DONT_PARALLELIZE)
  eigen_on_one_thread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~eigen_on_one_thread() { omp_set_num_threads(before_); }
#else
  eigen_on_one_thread() {}
  ~eigen_on_one_thread() {}
#endif
  eigen_on_one_thread(const eigen_on_one_thread&) = delete;
  eigen_on_one_thread& operator=(const eigen_on_one_thread&) = delete;

 private:
#if defined(_OPENMP) && !defined(EIGEN_DONT_PARALLELIZE)
  int before_;
#endif
};

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::detail
