// checkpoint/save_format.hpp: the formats that compressed models are saved in, and what each of them can hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <miq/quantization/grid_set.hpp>

namespace compress_opt {

enum class save_format {
  huggingface,         ///< dense weights
  gptq,                ///< `qweight`, `qzeros`, `scales`, `g_idx`; dense codes, masked weights with the code of 0
  compressed_tensors,  ///< `pack-quantized`: `weight_packed`, `weight_scale`, `weight_zero_point`, `weight_shape`
  miq                  ///< miq's packed layers: everything that miq makes, mask included
};

/// `huggingface`, `gptq`, `compressed-tensors`, `miq`.
std::string_view name_of(save_format format);

/// What decides whether a format can hold a matrix. Known before the work begins, but for what only the groups tell.
struct matrix_traits {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool quantised = true;
  miq::quantization::grid_layout layout = miq::quantization::grid_layout::per_row_and_group;
  miq::quantization::grid_symmetry symmetry = miq::quantization::grid_symmetry::asymmetric;
  miq::quantization::scale_format scales = miq::quantization::scale_format::float16;
  int least_bits = 4;
  int most_bits = 4;
  std::int64_t groups = 1;      ///< of columns; 0: not known yet
  std::int64_t group_unit = 0;  ///< every group has a multiple of so many columns; 0: not known, or none above 1
  bool contiguous = false;      ///< group g is columns g * group_unit ... (g + 1) * group_unit - 1
};

/// @param place  what the error begins with: a method or a matrix
/// @throws option_error if the format cannot hold it, with the setting to change
void require_holds(save_format format, const matrix_traits& traits, const std::string& place);

}  // namespace compress_opt
