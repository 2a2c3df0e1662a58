// obs/mask_search_cuda.hpp: `mask_search` (obs/mask_search.hpp) on a device.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/obs/mask_search_options.hpp>

namespace miq::obs {
inline namespace MIQ_CUDA_NAMESPACE {

/// Device memory that `mask_search` needs: about 3 * rows * c + 2 * c^2 floats, 4 MiB for histograms and what `factor`
/// asks for.
MIQ_CUDA_API std::int64_t mask_search_workspace_bytes(const cuda_executor& exec, std::int64_t rows,
                                                      std::int64_t columns, const mask_search_options& options = {});

/// As `mask_search` on the host, of a layer in device memory: the same selection to the bit, ties included, of values
/// that differ in the last bits since sums of products go in another order. So a mask differs where two sizes lie
/// within rounding of each other.
///
/// @param exec  scratch comes from `scratch`, or from the executor's resource where that is empty. With `scratch` only
///              a factor that has to be found in double takes more (see `factor`). Waits for the stream in the
///              beginning, for each level's factor and at the end, never between iterations: cannot be captured.
/// @throws invalid_argument  for shapes that do not fit and options out of range; values that are not finite, a
///                           negative diagonal entry, labels that are negative or beyond c are counted and not named;
///                           outputs are untouched
/// @throws numerical_error   if a factor does not exist or products overflow; outputs are unspecified
/// @throws out_of_memory, cuda_error
///
/// Cost: levels * (a factorisation + iterations * rows * c^2 multiply-adds by cuBLAS), and each iteration about ten
/// reads of a [rows, c] matrix. Eight launches select in up to 256 groups of columns at a time, one in all rows.
/// Deterministic but for what cuSOLVER and cuBLAS promise.
MIQ_CUDA_API mask_search_result mask_search(const cuda_executor& exec, const mask_search_inputs<device_memory>& in,
                                            const mask_search_outputs<device_memory>& out,
                                            const mask_search_options& options = {}, device_workspace scratch = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::obs
