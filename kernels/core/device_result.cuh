// core/device_result.cuh: result objects in device memory: how a function begins one, and how it comes back.
#pragma once

#include <miq/core/launch.cuh>

namespace miq {
inline namespace MIQ_CUDA_NAMESPACE {
namespace device {

/// Writes one object. A kernel's argument and not a copy from the host, so that the call may be captured and the
/// host's object may go.
template <class Result>
struct write_result_body {
  static constexpr int lanes = 32;
  Result value;
  Result* to;

  std::int64_t blocks() const { return 1; }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t, std::byte*) const {
    if (group.rank() == 0) *to = value;
  }
};

template <class Result>
void write_result(const cuda_executor& exec, const char* name, result_ref<Result, device_memory> to,
                  const Result& value) {
  launch(exec, name, write_result_body<Result>{value, to.get()});
}

/// A result object in the executor's memory, for calls that return it.
template <class Result>
class result_on_device {
 public:
  explicit result_on_device(const cuda_executor& exec) : exec_(exec), memory_(1, exec.stream(), exec.resource()) {}

  result_ref<Result, device_memory> ref() const { return result_ref<Result, device_memory>(memory_.data()); }
  /// Waits for the stream.
  Result fetch() const {
    Result value;
    copy(exec_, vector_view<const Result, device_memory>(memory_.view()), vector_view<Result>(&value, 1));
    exec_.synchronise();
    return value;
  }

 private:
  const cuda_executor& exec_;
  device_array<Result> memory_;
};

}  // namespace device
}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq
