// Each case but 0 uses a view in the wrong memory space, or breaks const, in exactly one place.
#include <cstdint>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>

namespace {

/// Declared as every function of the library is: views in the executor's memory.
template <miq::executor Exec>
void sum_rows(const Exec&, miq::matrix_view<const float, miq::memory_of<Exec>>,
              miq::vector_view<float, miq::memory_of<Exec>>, miq::result_ref<int, miq::memory_of<Exec>>) {}

struct no_executor {};

}  // namespace

int main() {
  float storage[6] = {};
  int result = 0;
  const miq::host_executor exec;
  const miq::matrix_view<float> host(storage, 2, 3);
  [[maybe_unused]] const miq::vector_view<float> host_sums(storage, 2);
  [[maybe_unused]] const miq::matrix_view<float, miq::device_memory> device(storage, 2, 3);
  [[maybe_unused]] const miq::vector_view<float, miq::device_memory> device_sums(storage, 2);
  [[maybe_unused]] miq::result_ref<int, miq::device_memory> device_result(&result);
  [[maybe_unused]] const miq::matrix_view<const float> constant = host;
  [[maybe_unused]] std::vector<float> container(2);

#if CASE == 0
  sum_rows(exec, host, host_sums, result);
  sum_rows(exec, constant, container, result);
  [[maybe_unused]] const miq::matrix_view<const float, miq::device_memory> device_constant = device;
#elif CASE == 1  // a device matrix where a host matrix is expected
  sum_rows(exec, device, host_sums, result);
#elif CASE == 2  // a device vector where a host vector is expected
  sum_rows(exec, host, device_sums, result);
#elif CASE == 3  // a device result where a host result is expected
  sum_rows(exec, host, host_sums, device_result);
#elif CASE == 4  // host memory as a device matrix
  [[maybe_unused]] const miq::matrix_view<const float, miq::device_memory> wrong = host;
#elif CASE == 5  // a host container as a device vector
  [[maybe_unused]] const miq::vector_view<float, miq::device_memory> wrong = container;
#elif CASE == 6  // constant elements as mutable ones
  [[maybe_unused]] const miq::matrix_view<float> wrong = constant;
#elif CASE == 7  // something that is no executor
  sum_rows(no_executor{}, host, host_sums, result);
#else
#error "unknown case"
#endif
}
