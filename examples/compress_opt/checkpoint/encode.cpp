#include "compress_opt/checkpoint/encode.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>

#include <miq/core/error.hpp>
#include <miq/core/numeric_types.hpp>
#include <miq/quantization/packed_layer.hpp>
#include <miq/quantization/packing.hpp>

#include "common/text.hpp"
#include "compress_opt/errors.hpp"

namespace compress_opt {

namespace {

namespace q = miq::quantization;
using nlohmann::json;

constexpr std::array<std::int64_t, 6> gptq_group_sizes = {1024, 512, 256, 128, 64, 32};

template <class T>
std::vector<std::byte> bytes_of_values(std::span<const T> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::int64_t group_unit_of(const stored_matrix& matrix) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(matrix.groups));
  for (const auto label : matrix.labels) ++sizes[static_cast<std::size_t>(label)];
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0},
                         [](std::int64_t a, std::int64_t b) { return std::gcd(a, b); });
}

/// The one width of a matrix.
int width_of(const stored_matrix& matrix) { return matrix.grids.bits[0]; }

bool is_symmetric(const stored_matrix& matrix) { return matrix.grids.symmetry == q::grid_symmetry::symmetric; }

/// Both formats put the code of 0 of a symmetric grid at 2^(b-1), where miq has it at 2^(b-1) - 1.
int code_shift(const stored_matrix& matrix) { return is_symmetric(matrix) ? 1 : 0; }

/// The grid of a row in a group, of either layout that the formats hold.
struct grid_values {
  float scale;
  unsigned zero;  // as the formats count it
};

grid_values grid_of(const stored_matrix& matrix, std::int64_t row, std::int64_t group) {
  const auto r = matrix.grids.scale.rows() == 1 ? 0 : row;
  return {matrix.grids.scale(r, group),
          static_cast<unsigned>(matrix.grids.zero(r, group)) + static_cast<unsigned>(code_shift(matrix))};
}

/// The codes of a row, every weight's: a masked one has that of 0.
void dense_codes(const stored_matrix& matrix, std::int64_t row, std::span<std::uint8_t> codes) {
  for (std::int64_t c = 0; c < matrix.kept.columns(); ++c) {
    const auto at = static_cast<std::size_t>(c);
    const auto zero = grid_of(matrix, row, matrix.labels[at]).zero;
    codes[at] = static_cast<std::uint8_t>(
        matrix.kept(row, c) != 0 ? matrix.codes(row, c) + static_cast<unsigned>(code_shift(matrix)) : zero);
  }
}

/// The codes of all rows, each packed along its columns: [rows, words].
miq::matrix<std::uint32_t> packed_rows(const miq::host_executor& exec, const stored_matrix& matrix) {
  const auto rows = matrix.kept.rows();
  const auto columns = matrix.kept.columns();
  const int bits = width_of(matrix);
  miq::matrix<std::uint32_t> packed(rows, q::packed_words(columns, bits));
  constexpr std::int64_t tile = 16;  // packing inside a task runs on its thread
  exec.parallel_for((rows + tile - 1) / tile, [&](std::int64_t task) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(columns));
    for (auto r = task * tile; r < std::min(rows, (task + 1) * tile); ++r) {
      dense_codes(matrix, r, codes);
      q::pack_codes(exec, codes, bits, miq::vector_view<std::uint32_t>(&packed(r, 0), packed.columns()));
    }
  });
  return packed;
}

void require_option(bool condition, const std::string& message) {
  if (!condition) throw option_error(message);
}

}  // namespace

matrix_traits traits_of(const stored_matrix& matrix) {
  matrix_traits traits;
  traits.rows = matrix.kept.rows();
  traits.columns = matrix.kept.columns();
  traits.quantised = !matrix.codes.empty();
  traits.groups = matrix.groups;
  traits.group_unit = group_unit_of(matrix);
  traits.contiguous = true;
  for (std::size_t c = 0; c < matrix.labels.size(); ++c)
    traits.contiguous = traits.contiguous &&
                        matrix.labels[c] == static_cast<std::int64_t>(c) / std::max<std::int64_t>(traits.group_unit, 1);
  if (!traits.quantised) return traits;
  traits.layout = matrix.grids.layout;
  traits.symmetry = matrix.grids.symmetry;
  traits.scales = matrix.grids.format;
  const auto [least, most] = std::minmax_element(matrix.grids.bits.begin(), matrix.grids.bits.end());
  traits.least_bits = *least;
  traits.most_bits = *most;
  return traits;
}

std::int64_t gptq_group_size(const stored_matrices& matrices) {
  std::int64_t unit = 0;
  bool grouped = false;
  for (const auto& [name, matrix] : matrices) {
    grouped = grouped || matrix.groups > 1;
    unit = std::gcd(unit, group_unit_of(matrix));
  }
  if (!grouped) return -1;
  for (const auto size : gptq_group_sizes)
    if (unit % size == 0) return size;
  throw option_error(examples::join("--save_format gptq: the groups of all matrices must have multiples of ",
                                    gptq_group_sizes.back(), " columns; use --balanced with a suitable --n_groups"));
}

std::vector<encoded_tensor> gptq_tensors(const miq::host_executor& exec, const stored_matrix& matrix,
                                         std::int64_t group_size) {
  const auto rows = matrix.kept.rows();
  const auto columns = matrix.kept.columns();
  const int bits = width_of(matrix);
  const auto size = group_size == -1 ? columns : group_size;
  const auto stored_groups = columns / size;

  // A group of n * size columns becomes n groups with the same scales.
  std::vector<std::int32_t> stored_group(static_cast<std::size_t>(columns));
  std::vector<std::int32_t> source_group(static_cast<std::size_t>(stored_groups));
  std::int32_t next = 0;
  for (std::int32_t g = 0; g < matrix.groups; ++g) {
    std::int64_t seen = 0;
    for (std::size_t c = 0; c < matrix.labels.size(); ++c) {
      if (matrix.labels[c] != g) continue;
      if (seen % size == 0) source_group[static_cast<std::size_t>(next++)] = g;
      stored_group[c] = next - 1;
      ++seen;
    }
  }

  // qweight [columns * bits / 32, rows]: the codes of an output, packed along the inputs, are a column of words.
  const auto packed = packed_rows(exec, matrix);
  const auto words = packed.columns();
  std::vector<std::uint32_t> qweight(static_cast<std::size_t>(words * rows));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t w = 0; w < words; ++w) qweight[static_cast<std::size_t>(w * rows + r)] = packed(r, w);

  // qzeros [groups, rows * bits / 32], packed along the outputs; scales [groups, rows].
  const auto zero_words = q::packed_words(rows, bits);
  std::vector<std::uint32_t> qzeros(static_cast<std::size_t>(stored_groups * zero_words));
  std::vector<miq::float16> scales(static_cast<std::size_t>(stored_groups * rows));
  std::vector<std::uint8_t> zeros(static_cast<std::size_t>(rows));
  for (std::int64_t g = 0; g < stored_groups; ++g) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto grid = grid_of(matrix, r, source_group[static_cast<std::size_t>(g)]);
      zeros[static_cast<std::size_t>(r)] =
          static_cast<std::uint8_t>(grid.zero - static_cast<unsigned>(code_shift(matrix)));
      scales[static_cast<std::size_t>(g * rows + r)] = miq::float16(grid.scale);
    }
    q::pack_codes(exec, zeros, bits, miq::vector_view<std::uint32_t>(qzeros.data() + g * zero_words, zero_words));
  }
  std::vector<encoded_tensor> tensors;
  tensors.push_back({".qweight", "I32", {words, rows}, bytes_of_values<std::uint32_t>(qweight)});
  tensors.push_back({".qzeros", "I32", {stored_groups, zero_words}, bytes_of_values<std::uint32_t>(qzeros)});
  tensors.push_back({".scales", "F16", {stored_groups, rows}, bytes_of_values<miq::float16>(scales)});
  tensors.push_back({".g_idx", "I32", {columns}, bytes_of_values<std::int32_t>(stored_group)});
  return tensors;
}

json gptq_config(const stored_matrices& matrices) {
  const auto& first = matrices.begin()->second;
  const auto group_size = gptq_group_size(matrices);
  for (const auto& [name, matrix] : matrices)
    require_option(width_of(matrix) == width_of(first) && is_symmetric(matrix) == is_symmetric(first),
                   "--save_format gptq: all matrices must have one width and one symmetry, but " + name + " has " +
                       std::to_string(width_of(matrix)) + " bits; --save_format miq holds it");
  return {{"quant_method", "gptq"},
          {"bits", width_of(first)},
          {"group_size", group_size},
          // Readers look at g_idx only where columns may come in any order.
          {"desc_act", group_size != -1},
          {"static_groups", true},
          {"sym", is_symmetric(first)},
          {"lm_head", false},
          {"true_sequential", false},
          {"pack_dtype", "int32"},
          {"checkpoint_format", is_symmetric(first) ? "gptq" : "gptq_v2"}};
}

std::vector<encoded_tensor> compressed_tensors_tensors(const miq::host_executor& exec, const stored_matrix& matrix) {
  const auto rows = matrix.kept.rows();
  const auto columns = matrix.kept.columns();
  const auto groups = matrix.groups;
  const int bits = width_of(matrix);
  const auto packed = packed_rows(exec, matrix);
  std::vector<miq::float16> scales;
  scales.reserve(static_cast<std::size_t>(rows * groups));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t g = 0; g < groups; ++g) scales.push_back(miq::float16(grid_of(matrix, r, g).scale));
  const std::array<std::int64_t, 2> shape = {rows, columns};
  std::vector<encoded_tensor> tensors;
  tensors.push_back({".weight_packed",
                     "I32",
                     {rows, packed.columns()},
                     bytes_of_values<std::uint32_t>({packed.data(), static_cast<std::size_t>(packed.size())})});
  tensors.push_back({".weight_scale", "F16", {rows, groups}, bytes_of_values<miq::float16>(scales)});
  tensors.push_back({".weight_shape", "I64", {2}, bytes_of_values<std::int64_t>(shape)});
  if (is_symmetric(matrix)) return tensors;
  // [rows * bits / 32 rounded up, groups]: the zero points of a group, packed along the outputs, are a column of words.
  const auto zero_words = q::packed_words(rows, bits);
  std::vector<std::uint32_t> zeros(static_cast<std::size_t>(zero_words * groups));
  std::vector<std::uint8_t> column(static_cast<std::size_t>(rows));
  std::vector<std::uint32_t> column_words(static_cast<std::size_t>(zero_words));
  for (std::int64_t g = 0; g < groups; ++g) {
    for (std::int64_t r = 0; r < rows; ++r)
      column[static_cast<std::size_t>(r)] = static_cast<std::uint8_t>(grid_of(matrix, r, g).zero);
    q::pack_codes(exec, column, bits, column_words);
    for (std::int64_t w = 0; w < zero_words; ++w)
      zeros[static_cast<std::size_t>(w * groups + g)] = column_words[static_cast<std::size_t>(w)];
  }
  tensors.push_back({".weight_zero_point", "I32", {zero_words, groups}, bytes_of_values<std::uint32_t>(zeros)});
  return tensors;
}

json compressed_tensors_config(const stored_matrices& matrices, const std::vector<std::string>& dense) {
  // Matrices that are stored alike are one group of the configuration.
  struct kind {
    int bits;
    bool symmetric;
    std::int64_t group_size;  // 0: one scale per row
    auto operator<=>(const kind&) const = default;
  };
  std::map<kind, std::vector<std::string>> kinds;
  for (const auto& [name, matrix] : matrices)
    kinds[{width_of(matrix), is_symmetric(matrix), matrix.groups == 1 ? 0 : matrix.kept.columns() / matrix.groups}]
        .push_back("model.decoder.layers." + name);
  json groups = json::object();
  for (const auto& [how, names] : kinds) {
    json weights = {{"num_bits", how.bits},         {"type", "int"},
                    {"symmetric", how.symmetric},   {"strategy", how.group_size == 0 ? "channel" : "group"},
                    {"group_size", how.group_size}, {"dynamic", false},
                    {"actorder", nullptr},          {"observer", "minmax"}};
    if (how.group_size == 0) weights["group_size"] = nullptr;
    groups["group_" + std::to_string(groups.size())] = {
        {"targets", kinds.size() == 1 ? std::vector<std::string>{"Linear"} : names},
        {"weights", weights},
        {"input_activations", nullptr},
        {"output_activations", nullptr},
        {"format", "pack-quantized"}};
  }
  return {{"quant_method", "compressed-tensors"},
          {"format", "pack-quantized"},
          {"quantization_status", "compressed"},
          {"config_groups", groups},
          {"ignore", dense}};
}

std::vector<encoded_tensor> miq_tensors(const miq::host_executor& exec, const stored_matrix& matrix,
                                        const miq::matrix<float>& weights) {
  auto bytes = matrix.codes.empty()
                   ? q::pack_pruned_layer(exec, weights.view(), matrix.kept.view())
                   : q::pack_layer(exec, q::packed_layer_source{matrix.codes.view(), matrix.kept.view(), matrix.grids,
                                                                matrix.labels, matrix.groups});
  const auto size = static_cast<std::int64_t>(bytes.size());
  std::vector<encoded_tensor> tensors;
  tensors.push_back({".weight.miq", "U8", {size}, std::move(bytes)});
  return tensors;
}

}  // namespace compress_opt
