// allocation/column_costs_cuda.hpp: what bits are chosen by, from weights in device memory.
#pragma once

#include <cstdint>
#include <span>

#include <miq/allocation/column_costs.hpp>
#include <miq/core/cuda_executor.hpp>
#include <miq/core/cuda_namespace.hpp>
#include <miq/core/weights_view.hpp>

namespace miq::allocation {
inline namespace MIQ_CUDA_NAMESPACE {

/// Sums over the rows of every column, in double: everything that the choice of bits on the host (`bit_item::weights`,
/// `measure_columns`, the weights' part of `importance`) reads from weights and mask. Costs of columns multiply them on
/// the host.
struct column_sums_view {
  vector_view<double, device_memory> kept;          ///< [columns], kept weights
  vector_view<double, device_memory> squares;       ///< [columns], sum of their squares
  vector_view<double, device_memory> magnitudes{};  ///< [columns], sum of their magnitudes; empty: not wanted
};

/// What happened on the way.
struct column_sums_result {
  std::int64_t not_finite = 0;  ///< weights that are NaN or infinite, masked ones too; they are left out as masked ones
};

/// Scratch of `column_sums`, in bytes: 24 for every column of every 256 rows.
MIQ_CUDA_API std::int64_t column_sums_workspace_bytes(std::int64_t rows, std::int64_t columns);

/// Computes the sums. Tiles of 256 rows are summed with rows ascending, and then joined: a fixed order, the same to the
/// bit in every run; host sums, rows ascending throughout, differ by their rounding. Does not allocate if `scratch` is
/// given, does not synchronise, may be captured.
///
/// @param weights  [rows, columns], not empty
/// @param out      written whole
/// @param result   one object in device memory
/// @param kept     [rows, columns] or empty: all
/// @throws invalid_argument  for shapes that do not fit
/// Cost: reads weights and mask once.
MIQ_CUDA_API void column_sums(const cuda_executor& exec, const weights_view<device_memory>& weights,
                              const column_sums_view& out, result_ref<column_sums_result, device_memory> result,
                              matrix_view<const std::uint8_t, device_memory> kept = {}, device_workspace scratch = {});

/// As `measure_columns` on the host, of weights and factor in device memory; the costs come to the host, where bits are
/// chosen. Takes 24 bytes per column and the scratch of `column_sums` from the executor's resource, copies once, and
/// synchronises.
/// @param upper  [columns, columns] in device memory; only its diagonal is read
/// @param order  [columns] on the host, or empty
/// @throws invalid_argument  as on the host; of weights that are not finite the number is named and not the place
MIQ_CUDA_API column_costs measure_columns(const cuda_executor& exec, const weights_view<device_memory>& weights,
                                          matrix_view<const float, device_memory> upper,
                                          matrix_view<const std::uint8_t, device_memory> kept = {},
                                          std::span<const std::int64_t> order = {});

}  // namespace MIQ_CUDA_NAMESPACE
}  // namespace miq::allocation
