// quantization/packed_layer.hpp: a compressed layer as one block of bytes: what storage_of counts, and nothing more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/quantization/grid_set.hpp>

namespace miq::quantization {

// The format is described byte by byte in docs/formats.md: a header of 128 bytes, then eight sections, each a stream of
// bits in the order of packing.hpp, padded with 0 to a multiple of 8 bytes. Together their bits are exactly the total
// of `storage_of`. Little endian on every machine; no alignment is asked of the bytes.

/// The sections of a packed layer, in the order of the file.
enum class packed_section {
  widths,       ///< 3 bits per group: its width less 1; where there are several groups
  labels,       ///< ceil(log2 groups) bits per column: its group; where columns share groups out of several
  permutation,  ///< reserved, always empty
  mask,         ///< 1 bit per weight, row-major: 1 where it is kept; where anything is masked
  scales,       ///< in their format, row-major
  row_factors,  ///< in the scales' format; rank-one layouts only
  zeros,        ///< in their group's width; none for symmetric grids
  codes         ///< of kept weights: group after group, in each row after row, column after column
};
inline constexpr std::size_t packed_sections = 8;

/// `widths`, `labels`, ... as errors and tables print them.
MIQ_API std::string_view name_of(packed_section section);

/// A compressed layer by its parts, without owning them: what `miq::compress` returns and `obs::sweep` writes.
struct packed_layer_source {
  matrix_view<const std::uint8_t> codes;   ///< [rows, columns]; not looked at where a weight is masked
  matrix_view<const std::uint8_t> kept;    ///< [rows, columns], 0 where a weight is masked
  const grid_set& grids;                   ///< of every layout, symmetry and scale format
  vector_view<const std::int32_t> labels;  ///< [columns], the group of each column
  std::int64_t groups = 1;                 ///< at most as many as columns; a group has one width
};

/// The bytes that `pack_layer` writes. Reads the mask; allocates two numbers a column and a few a group.
/// @throws invalid_argument  as `pack_layer`
MIQ_API std::int64_t packed_layer_bytes(const packed_layer_source& layer);

/// Packs a layer. Exact: `unpack_layer` gives, to the bit, `dequantise(code, grids.at(r, c))` where a weight is kept,
/// and 0 where it is masked.
///
/// @param exec   where to run (on the calling thread). Allocates as `packed_layer_bytes`.
/// @param bytes  [packed_layer_bytes(layer)], any alignment, written whole
/// @throws invalid_argument  for shapes that do not fit, more than 2^31 - 1 rows or columns, more groups than columns,
///                           a group with two widths, a code beyond its grid, a scale that its format does not hold
///                           exactly, a zero point that is not what its symmetry says; `bytes` is untouched
/// Cost: about 5 ns a weight. Deterministic.
template <executor Exec>
void pack_layer(const Exec& exec, const packed_layer_source& layer, std::span<std::byte> bytes);

/// The same, returning the bytes.
template <executor Exec>
std::vector<std::byte> pack_layer(const Exec& exec, const packed_layer_source& layer);

/// Packs a layer that was pruned but not quantised: kept weights rounded to half precision, as
/// `storage_of_unquantised` counts them.
/// @param weights  [rows, columns]; not looked at where masked
/// @param kept     [rows, columns]
/// @throws invalid_argument  for shapes that differ or are empty, a kept weight that is not finite or beyond 65504
template <executor Exec>
std::vector<std::byte> pack_pruned_layer(const Exec& exec, matrix_view<const float> weights,
                                         matrix_view<const std::uint8_t> kept);

/// A packed layer that was read from anywhere: points into the caller's bytes, which must outlive it and not change.
///
/// The constructor checks everything that decoding relies on and everything that the format fixes (sizes, ranges of all
/// scales, zero points and codes, unused bits), so that bytes from an untrusted source are safe: they decode to finite
/// weights or are refused.
class packed_layer_view {
 public:
  /// @param bytes  the whole layer, no more and no less
  /// @throws invalid_argument  if it is not a packed layer, truncated, inconsistent or of a later version; the message
  ///                           says what was expected and what came
  /// Reads all bytes once, about 2 ns a weight. Allocates about five bytes per column and nine a group; a layer has at
  /// most eight weights for each of its bytes, so that no small file asks for much memory.
  explicit packed_layer_view(std::span<const std::byte> bytes);

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  std::int64_t groups() const { return static_cast<std::int64_t>(widths_.size()); }
  std::int64_t kept() const { return kept_; }               ///< weights that are not masked
  bool quantised() const { return quantised_; }             ///< false: codes are half-precision weights
  bool masked() const { return kept_ < rows_ * columns_; }  ///< whether there is a mask
  grid_symmetry symmetry() const { return symmetry_; }
  grid_layout layout() const { return layout_; }
  scale_format format() const { return format_; }
  std::span<const std::uint8_t> widths() const { return widths_; }  ///< [groups]; 16 where nothing is quantised
  std::span<const std::int32_t> labels() const { return labels_; }  ///< [columns], the group of each column

  /// A section's bytes, padding included, as they lie in the file; empty if the layer has none.
  std::span<const std::byte> section(packed_section which) const;
  /// Its bits, padding left out.
  std::int64_t section_bits(packed_section which) const { return bits_[static_cast<std::size_t>(which)]; }
  /// Bits of all sections, padding left out: the total of `storage_of`.
  std::int64_t payload_bits() const;
  /// Where the codes of a group begin in `packed_section::codes`, in bits; for groups() it is the end.
  std::int64_t first_code_bit(std::int64_t group) const { return first_bit_[static_cast<std::size_t>(group)]; }

  /// Scales, zero points and row factors, decoded; for a group without columns the zero point is 0. Empty if nothing is
  /// quantised. Allocates the result.
  grid_set grids() const;

 private:
  struct access;

  std::span<const std::byte> bytes_;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t kept_ = 0;
  grid_symmetry symmetry_ = grid_symmetry::asymmetric;
  grid_layout layout_ = grid_layout::per_row_and_group;
  scale_format format_ = scale_format::float16;
  bool quantised_ = true;
  std::array<std::int64_t, packed_sections> bits_{};
  std::vector<std::uint8_t> widths_;
  std::vector<std::int32_t> labels_;
  std::vector<std::int64_t> first_bit_;
};

/// Decodes a layer to dense weights, 0 where masked.
/// @param exec     where to run (on the calling thread). Allocates the grids and a number a column.
/// @param weights  [rows, columns], float, or float16 or bfloat16: rounded from float
/// @throws invalid_argument  if `weights` has another shape; it is untouched
/// Cost: about 5 ns a weight. Deterministic.
template <executor Exec, class T>
void unpack_layer(const Exec& exec, const packed_layer_view& layer, matrix_view<T> weights);

/// The same in float, returning them.
template <executor Exec>
matrix<float> unpack_layer(const Exec& exec, const packed_layer_view& layer);

/// Decodes a quantised layer to codes and mask.
/// @param codes  [rows, columns]; 0 where masked
/// @param kept   [rows, columns]; 0 or 1
/// @throws invalid_argument  for other shapes, or if the layer is not quantised; the outputs are untouched
template <executor Exec>
void unpack_layer_codes(const Exec& exec, const packed_layer_view& layer, matrix_view<std::uint8_t> codes,
                        matrix_view<std::uint8_t> kept);

}  // namespace miq::quantization

#if !defined(MIQ_PRECOMPILED)
#include <miq/quantization/detail/packed_layer/host.inl>
#endif
