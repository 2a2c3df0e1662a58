// quantization/machine.cuh: runs the bodies of an algorithm one after the other on an executor's stream.
#pragma once

#include <miq/core/launch.cuh>

namespace miq::quantization::detail {
inline namespace MIQ_CUDA_NAMESPACE {

struct stream_machine {
  const cuda_executor& exec;

  template <class Body>
  void launch(const char* name, const Body& body) const {
    device::launch(exec, name, body);
  }
};

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::quantization::detail
