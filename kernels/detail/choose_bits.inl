#pragma once

#include <miq/core/cuda_namespace.hpp>
#include <miq/detail/compress_bits.hpp>

namespace miq::detail {
inline namespace MIQ_CUDA_NAMESPACE {

MIQ_CUDA_API bits_choice choose_bits_on_host(const bits_problem& problem, layer_report& report) {
  return solve_bits(problem, report);
}

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::detail
