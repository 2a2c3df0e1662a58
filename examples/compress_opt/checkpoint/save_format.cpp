#include "compress_opt/checkpoint/save_format.hpp"

#include <miq/core/error.hpp>

#include "common/text.hpp"
#include "compress_opt/errors.hpp"

namespace compress_opt {

namespace {

namespace q = miq::quantization;

constexpr std::int64_t codes_at_a_time = 32;      // so many fill whole words at every width
constexpr std::int64_t smallest_gptq_group = 32;  // columns; see `gptq_group_size`

}  // namespace

std::string_view name_of(save_format format) {
  switch (format) {
    case save_format::huggingface:
      return "huggingface";
    case save_format::gptq:
      return "gptq";
    case save_format::compressed_tensors:
      return "compressed-tensors";
    case save_format::miq:
      return "miq";
  }
  return "?";
}

void require_holds(save_format format, const matrix_traits& traits, const std::string& place) {
  if (format == save_format::huggingface || format == save_format::miq) return;
  const bool gptq = format == save_format::gptq;
  const auto refuse = [&](const std::string& what) {
    throw option_error(
        examples::join("--save_format ", name_of(format), ": ", place, ": ", what, "; --save_format miq holds it"));
  };
  if (!traits.quantised)
    refuse(gptq
               ? "--wbits 16 stores no codes; choose --wbits 2, 3, 4 or 8"
               : "--wbits 16 stores no codes (current versions of the package read no sparse bitmasks); choose --wbits "
                 "1 to 8, or --save_format huggingface");
  if (q::is_rank_one(traits.layout))
    refuse("scales that are products of a row's and a group's cannot be stored; use --layout A or A-group");
  if (q::has_column_scales(traits.layout))
    refuse(
        "a scale for each channel cannot be stored; use --layout A or A-group (enhanced always has such scales: "
        "leave it out of --methods)");
  if (traits.symmetry == q::grid_symmetry::zero_free)
    refuse("no mask is stored, so that masked weights need a level at 0; use --grid asymmetric or symmetric");
  if (traits.scales != q::scale_format::float16) refuse("scales are stored in half precision; use --scales float16");
  if (traits.least_bits != traits.most_bits)
    refuse(examples::join("all groups must have one width, but they get ", traits.least_bits, " to ", traits.most_bits,
                          " bits; use --n_groups 1"));
  const int bits = traits.most_bits;
  if (gptq) {
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8)
      refuse(examples::join("codes must have 2, 3, 4 or 8 bits, got ", bits, "; change --wbits or --target_avg_bits"));
    if (traits.rows % codes_at_a_time != 0 || traits.columns % codes_at_a_time != 0)
      refuse(examples::join("rows and columns must be multiples of ", codes_at_a_time, ", got ", traits.rows, " and ",
                            traits.columns));
    if (traits.groups != 1 && (traits.group_unit == 0 || traits.group_unit % smallest_gptq_group != 0))
      refuse(examples::join("every group must have a multiple of ", smallest_gptq_group, " of the ", traits.columns,
                            " columns; use --balanced with a suitable --n_groups, or --n_groups 1"));
  } else {
    if (bits == 1 && traits.symmetry == q::grid_symmetry::symmetric)
      refuse("symmetric grids of 1 bit have no level at 0; use 2 bits or more");
    if (traits.groups != 1 && !traits.contiguous)
      refuse(
          "groups of columns that are not contiguous cannot be stored; use --n_groups 1, or "
          "--save_format gptq");
  }
}

}  // namespace compress_opt
