// obs/sweep.hpp: prunes and quantises a layer in one pass over its columns, making up each error in the columns after
// it.
#pragma once

#include <cstdint>

#include <miq/core/executor.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/workspace.hpp>
#include <miq/obs/sweep_options.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::obs {

/// Scratch that `sweep` needs: about rows * (columns + 768) floats.
std::int64_t sweep_workspace_bytes(std::int64_t rows, std::int64_t columns, std::int64_t grid_columns,
                                   std::int64_t row_grids, const sweep_options& options = {});

/// Solves a layer column by column, as SparseGPT does with its joint variant (Frantar and Alistarh 2023, algorithm 1
/// and section "joint sparsification and quantization"): in column j every row's weight becomes 0 if it is masked, its
/// nearest grid level otherwise; the error, divided by U_jj, is subtracted times U_j,j+1: from the row's later columns.
/// Updates beyond a block of columns are gathered and applied as one matrix product.
///
/// @param exec  where to run. Scratch comes from `scratch`, or from the executor's resource where that is empty.
///              Eigen's products take packing buffers from the heap where its stack limit is exceeded.
/// @throws invalid_argument  for shapes that do not fit, options out of range, weights that are not finite (with the
///                           row and column), grids that are not positive; outputs are untouched
/// @throws numerical_error   if updates overflow (the factor does not fit the weights); outputs are unspecified
/// @throws out_of_memory     if `scratch` is too small
/// @throws cancelled         if `progress` (phase "sweep") asked for it
///
/// Cost: rows * columns^2 / 2 multiply-adds. Deterministic, whatever the number of threads: each weight sees the same
/// operations in the same order.
template <executor Exec>
sweep_result sweep(const Exec& exec, const sweep_inputs<memory_of<Exec>>& in, const sweep_outputs<memory_of<Exec>>& out,
                   const sweep_options& options = {}, workspace scratch = {}, const progress_callback& progress = {});

/// The same for weights of float16 or bfloat16, worked on in float and rounded at the end. Takes 8 bytes per weight from
/// the executor's resource besides.
template <on_host Exec, sixteen_bits T>
sweep_result sweep(const Exec& exec, const sweep_inputs<host_memory, T>& in, const sweep_outputs<host_memory, T>& out,
                   const sweep_options& options = {}, workspace scratch = {}, const progress_callback& progress = {});

}  // namespace miq::obs

#if !defined(MIQ_PRECOMPILED)
#include <miq/obs/detail/sweep/host.inl>
#endif
