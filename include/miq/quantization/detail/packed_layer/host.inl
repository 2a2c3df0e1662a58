#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include <miq/core/numeric_types.hpp>
#include <miq/quantization/detail/fit/column_groups.hpp>
#include <miq/quantization/detail/storage/counts.hpp>
#include <miq/quantization/packed_layer.hpp>

namespace miq::quantization {

namespace detail {

using miq::detail::require;
using miq::detail::shape_text;

inline constexpr std::string_view packed_magic = "miqlayer";
inline constexpr std::uint32_t packed_version = 1;
inline constexpr std::int64_t packed_header_bytes = 128;
inline constexpr std::int64_t packed_most_extent = std::numeric_limits<std::int32_t>::max();
inline constexpr std::uint32_t packed_has_mask = 1;
inline constexpr std::uint32_t packed_is_half = 2;
inline constexpr std::uint32_t packed_has_labels = 4;
/// Scales times factors stay below this, so that every level of every grid is finite.
inline constexpr float packed_largest_scale = std::numeric_limits<float>::max() / 512;
inline constexpr int packed_largest_logarithm = 126 * logarithmic_steps;

/// Where the header's fields lie.
namespace packed_field {
inline constexpr std::int64_t version = 8;
inline constexpr std::int64_t flags = 12;
inline constexpr std::int64_t rows = 16;
inline constexpr std::int64_t columns = 24;
inline constexpr std::int64_t groups = 32;
inline constexpr std::int64_t symmetry = 40;
inline constexpr std::int64_t layout = 41;
inline constexpr std::int64_t format = 42;
inline constexpr std::int64_t width = 43;
inline constexpr std::int64_t reserved = 44;
inline constexpr std::int64_t kept = 48;
inline constexpr std::int64_t total_bytes = 56;
inline constexpr std::int64_t section_bits = 64;
}  // namespace packed_field

/// Bytes of a section: its bits in whole units of 8 bytes.
constexpr std::int64_t padded_bytes(std::int64_t bits) { return (bits + 63) / 64 * 8; }

template <class T>
T load_little(const std::byte* bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(std::to_integer<T>(bytes[i]) << 8 * i);
  return value;
}

template <class T>
void store_little(T value, std::byte* bytes) {
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<std::byte>(value >> 8 * i & 0xFF);
}

/// Writes one section: fields of up to 32 bits, then padding.
class section_writer {
 public:
  explicit section_writer(std::byte* bytes) : first_(bytes), next_(bytes) {}

  /// `bits` may be 0 if `value` is.
  void put(std::uint32_t value, int bits) {
    pending_ |= std::uint64_t{value} << filled_;
    filled_ += bits;
    if (filled_ < 32) return;
    store_little(static_cast<std::uint32_t>(pending_), next_);
    next_ += 4;
    pending_ >>= 32;
    filled_ -= 32;
  }
  void finish() {
    if (filled_ > 0) {
      store_little(static_cast<std::uint32_t>(pending_), next_);
      next_ += 4;
    }
    for (; (next_ - first_) % 8 != 0; ++next_) *next_ = std::byte{0};
  }

 private:
  std::byte* first_;
  std::byte* next_;
  std::uint64_t pending_ = 0;
  int filled_ = 0;
};

/// Reads one section. Behind its end there are zeros, so that looking ahead is safe.
class section_reader {
 public:
  explicit section_reader(std::span<const std::byte> bytes) : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  /// The next field, which stays where it is.
  std::uint32_t peek(int bits) {
    if (filled_ < bits && next_ != end_) {
      pending_ |= std::uint64_t{load_little<std::uint32_t>(next_)} << filled_;
      next_ += 4;
      filled_ += 32;
    }
    return static_cast<std::uint32_t>(pending_ & ((std::uint64_t{1} << bits) - 1));
  }
  /// Leaves `bits` behind: at most those that were looked at.
  void skip(int bits) {
    pending_ >>= bits;
    filled_ -= bits;
  }
  std::uint32_t get(int bits) {
    const auto value = peek(bits);
    skip(bits);
    return value;
  }

 private:
  const std::byte* next_;
  const std::byte* end_;
  std::uint64_t pending_ = 0;
  int filled_ = 0;
};

/// The bits of a mask, in order of rows and columns.
class mask_bits {
 public:
  /// @param bytes  empty: everything is kept
  explicit mask_bits(std::span<const std::byte> bytes) : bytes_(bytes.data()) {}

  unsigned at(std::int64_t i) const {
    return bytes_ == nullptr ? 1U : (std::to_integer<unsigned>(bytes_[i >> 3]) >> (i & 7)) & 1U;
  }

 private:
  const std::byte* bytes_;
};

inline std::span<const std::int32_t> as_span(vector_view<const std::int32_t> view) {
  return {view.data(), static_cast<std::size_t>(view.size())};
}

/// What decides the sizes of all sections, in the writer and in the reader.
struct packed_shape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  grid_symmetry symmetry = grid_symmetry::asymmetric;
  grid_layout layout = grid_layout::per_row_and_group;
  scale_format format = scale_format::float16;
  bool quantised = true;
  bool masked = false;
  bool labelled = false;
  std::vector<std::uint8_t> widths;         // [groups]; 16 where nothing is quantised
  std::vector<std::int64_t> group_columns;  // [groups]
  std::vector<std::int64_t> group_kept;     // [groups]

  std::int64_t groups() const { return static_cast<std::int64_t>(widths.size()); }
  std::int64_t grid_columns() const { return has_column_scales(layout) ? columns : groups(); }
  std::int64_t grid_rows() const { return layout == grid_layout::per_row_and_group ? rows : 1; }
  std::int64_t kept() const {
    std::int64_t sum = 0;
    for (const auto count : group_kept) sum += count;
    return sum;
  }
  /// Zero points that group g stores: none without columns.
  std::int64_t zeros_of(std::int64_t g) const {
    const auto size = group_columns[static_cast<std::size_t>(g)];
    if (symmetry == grid_symmetry::symmetric || size == 0) return 0;
    return layout == grid_layout::per_row_and_group ? rows : (layout == grid_layout::per_column ? size : 1);
  }

  std::array<std::int64_t, packed_sections> section_bits() const {
    std::array<std::int64_t, packed_sections> bits{};
    const auto of = [&](packed_section which) -> std::int64_t& { return bits[static_cast<std::size_t>(which)]; };
    if (masked) of(packed_section::mask) = rows * columns;
    for (std::size_t g = 0; g < widths.size(); ++g) of(packed_section::codes) += group_kept[g] * widths[g];
    if (!quantised) return bits;
    if (groups() > 1) of(packed_section::widths) = 3 * groups();
    if (labelled) of(packed_section::labels) = columns * index_bits(groups());
    const std::int64_t smallest = format == scale_format::logarithmic8 ? 16 : 0;
    of(packed_section::scales) = grid_rows() * grid_columns() * bits_of(format) + smallest;
    if (is_rank_one(layout)) of(packed_section::row_factors) = rows * bits_of(format) + smallest;
    for (std::int64_t g = 0; g < groups(); ++g)
      of(packed_section::zeros) += zeros_of(g) * widths[static_cast<std::size_t>(g)];
    return bits;
  }
};

/// Where the sections lie, and the end.
inline std::array<std::int64_t, packed_sections + 1> section_offsets(
    const std::array<std::int64_t, packed_sections>& bits) {
  std::array<std::int64_t, packed_sections + 1> offsets{};
  offsets[0] = packed_header_bytes;
  for (std::size_t i = 0; i < packed_sections; ++i) offsets[i + 1] = offsets[i] + padded_bytes(bits[i]);
  return offsets;
}

/// Whether columns need labels: not where there is one group, nor where each column is the group of its number.
inline bool needs_labels(std::span<const std::int32_t> labels, std::int64_t groups) {
  if (groups == 1) return false;
  if (groups < static_cast<std::int64_t>(labels.size())) return true;
  for (std::size_t c = 0; c < labels.size(); ++c)
    if (labels[c] != static_cast<std::int32_t>(c)) return true;
  return false;
}

inline void check_packed_shape(const char* function, matrix_view<const std::uint8_t> kept) {
  require(kept.rows() >= 1 && kept.columns() >= 1 && kept.rows() <= packed_most_extent &&
              kept.columns() <= packed_most_extent,
          function, ": kept must have 1 to 2^31 - 1 rows and columns, got ", shape_text(kept.rows(), kept.columns()));
}

/// Counts kept weights into `group_kept`, and says whether anything is masked.
inline void count_groups(packed_shape& shape, matrix_view<const std::uint8_t> kept,
                         std::span<const std::int32_t> labels) {
  const auto by_column = kept_by_column(kept);
  shape.group_columns.assign(shape.widths.size(), 0);
  shape.group_kept.assign(shape.widths.size(), 0);
  for (std::size_t c = 0; c < by_column.size(); ++c) {
    const auto g = labels.empty() ? std::size_t{0} : static_cast<std::size_t>(labels[c]);
    ++shape.group_columns[g];
    shape.group_kept[g] += by_column[c];
  }
  shape.masked = shape.kept() < shape.rows * shape.columns;
}

/// The shape of a layer to be packed, its shapes, labels and widths checked.
inline packed_shape shape_of(const char* function, const packed_layer_source& layer) {
  const auto& grids = layer.grids;
  check_packed_shape(function, layer.kept);
  packed_shape shape;
  shape.rows = layer.kept.rows();
  shape.columns = layer.kept.columns();
  shape.symmetry = grids.symmetry;
  shape.layout = grids.layout;
  shape.format = grids.format;
  require(layer.codes.rows() == shape.rows && layer.codes.columns() == shape.columns, function, ": codes must be ",
          shape_text(shape.rows, shape.columns), " like kept, got ",
          shape_text(layer.codes.rows(), layer.codes.columns()));
  require(layer.groups >= 1 && layer.groups <= shape.columns, function, ": groups must be 1 to the ", shape.columns,
          " columns, got ", layer.groups);
  require(layer.labels.size() == shape.columns, function, ": labels must name a group for each of the ", shape.columns,
          " columns, got ", layer.labels.size());
  for (std::int64_t c = 0; c < shape.columns; ++c)
    require(layer.labels[c] >= 0 && layer.labels[c] < layer.groups, function, ": label of column ", c, " must be 0 to ",
            layer.groups - 1, ", got ", layer.labels[c]);
  shape.widths.assign(static_cast<std::size_t>(layer.groups), 0);

  const auto grid_columns = shape.grid_columns();
  require(grids.scale.rows() == shape.grid_rows() && grids.scale.columns() == grid_columns, function,
          ": scales must be ", shape_text(shape.grid_rows(), grid_columns), " in their layout, got ",
          shape_text(grids.scale.rows(), grids.scale.columns()));
  require(grids.zero.rows() == shape.grid_rows() && grids.zero.columns() == grid_columns, function,
          ": zero points must be ", shape_text(shape.grid_rows(), grid_columns), " like the scales, got ",
          shape_text(grids.zero.rows(), grids.zero.columns()));
  require(static_cast<std::int64_t>(grids.bits.size()) == grid_columns, function, ": grids must have ", grid_columns,
          " widths, got ", grids.bits.size());
  require(static_cast<std::int64_t>(grids.column_grid.size()) == shape.columns, function,
          ": grids must name a grid for each of the ", shape.columns, " columns, got ", grids.column_grid.size());
  const auto factors = is_rank_one(grids.layout) ? shape.rows : 0;
  require(static_cast<std::int64_t>(grids.row_factor.size()) == factors, function, ": grids must have ", factors,
          " row factors in their layout, got ", grids.row_factor.size());
  for (std::size_t g = 0; g < grids.bits.size(); ++g)
    require(grids.bits[g] >= minimum_bits && grids.bits[g] <= maximum_bits, function, ": width of grid ", g,
            " must be 1 to 8, got ", static_cast<int>(grids.bits[g]));
  for (std::int64_t c = 0; c < shape.columns; ++c) {
    const auto label = layer.labels[c];
    const auto expected = has_column_scales(grids.layout) ? static_cast<std::int32_t>(c) : label;
    const auto grid = grids.column_grid[static_cast<std::size_t>(c)];
    require(grid == expected, function, ": column ", c, " must use grid ", expected, " in its layout, got ", grid);
    auto& width = shape.widths[static_cast<std::size_t>(label)];
    const auto bits = grids.bits[static_cast<std::size_t>(grid)];
    require(width == 0 || width == bits, function, ": group ", label, " must have one width, got ",
            static_cast<int>(width), " and ", static_cast<int>(bits));
    width = bits;
  }
  for (std::size_t g = 0; g < shape.widths.size(); ++g)  // groups without columns
    if (shape.widths[g] == 0) shape.widths[g] = has_column_scales(grids.layout) ? std::uint8_t{1} : grids.bits[g];
  shape.labelled = needs_labels(as_span(layer.labels), layer.groups);
  count_groups(shape, layer.kept, as_span(layer.labels));
  return shape;
}

/// What some scales look like in a file.
struct stored_scales {
  std::span<const float> values;
  scale_format format;
  std::int32_t smallest = 0;  // logarithmic8 only

  /// Checks that the format holds them exactly; finds the smallest logarithm.
  stored_scales(const char* function, const char* what, std::span<const float> given, scale_format how)
      : values(given), format(how) {
    std::int32_t largest = std::numeric_limits<std::int32_t>::min();
    std::int32_t least = std::numeric_limits<std::int32_t>::max();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float value = values[i];
      require(value > 0 && value <= packed_largest_scale && stored_scale(value, format) == value, function, ": ", what,
              " ", i, " must be positive and held exactly by its format of ", bits_of(format), " bits, got ", value);
      if (format != scale_format::logarithmic8) continue;
      least = std::min(least, logarithm_of_scale(value));
      largest = std::max(largest, logarithm_of_scale(value));
    }
    if (format != scale_format::logarithmic8 || values.empty()) return;
    require(largest - least <= logarithmic_range, function, ": ", what, "s must lie within ", logarithmic_range,
            " sixteenths of an octave, got ", largest - least);
    smallest = least;
  }

  void write(section_writer& out) const {
    if (format == scale_format::logarithmic8)
      out.put(static_cast<std::uint16_t>(static_cast<std::int16_t>(smallest)), 16);
    for (const float value : values) {
      switch (format) {
        case scale_format::float16:
          out.put(float16(value).bits, 16);
          break;
        case scale_format::float32:
          out.put(std::bit_cast<std::uint32_t>(value), 32);
          break;
        case scale_format::logarithmic8:
          out.put(static_cast<std::uint32_t>(logarithm_of_scale(value) - smallest), 8);
          break;
      }
    }
  }
};

/// Reads `values.size()` scales. @throws invalid_argument  for one that is not positive and finite
inline void read_scales(std::span<const std::byte> section, scale_format format, const char* what,
                        std::span<float> values) {
  section_reader in(section);
  std::int32_t smallest = 0;
  if (format == scale_format::logarithmic8) smallest = static_cast<std::int16_t>(in.get(16));
  for (std::size_t i = 0; i < values.size(); ++i) {
    float value = 0;
    if (format == scale_format::logarithmic8) {
      const auto k = smallest + static_cast<std::int32_t>(in.get(8));
      require(std::abs(k) <= packed_largest_logarithm, "packed_layer_view: ", what, " ", i,
              " must be a power of 2 from 2^-126 to 2^126, got 2^(", k, "/16)");
      value = logarithmic_scale(k);
    } else if (format == scale_format::float16) {
      value = miq::detail::half_bits_to_float(static_cast<std::uint16_t>(in.get(16)));
    } else {
      value = std::bit_cast<float>(in.get(32));
    }
    require(value > 0 && value <= packed_largest_scale, "packed_layer_view: ", what, " ", i,
            " must be positive and at most ", packed_largest_scale, ", got ", value);
    values[i] = value;
  }
}

/// The field that stands for a zero point in `bits` bits. @throws invalid_argument  if there is none
inline std::uint32_t stored_zero(const char* function, float zero, int bits, grid_symmetry symmetry,
                                 std::int64_t column) {
  const float field = symmetry == grid_symmetry::zero_free ? 2 * zero - 1 : zero;
  const auto largest = static_cast<float>((1 << bits) - 1);
  require(field >= 0 && field <= largest && field == std::nearbyint(field), function,
          symmetry == grid_symmetry::zero_free ? ": a gap must be a multiple of 1/2 from 1/2 to 2^(b-1)"
                                               : ": a zero point must be a whole number from 0 to 2^b - 1",
          " for ", bits, " bits, got ", zero, " in grid column ", column);
  return static_cast<std::uint32_t>(field);
}

inline float zero_of_field(std::uint32_t field, grid_symmetry symmetry) {
  const auto value = static_cast<float>(field);
  return symmetry == grid_symmetry::zero_free ? (value + 1) / 2 : value;
}

/// The zero point of every grid of a symmetric layer: the middle of the codes.
inline float symmetric_zero(int bits) { return static_cast<float>(maximum_code(bits, grid_symmetry::symmetric)) / 2; }

/// Calls `one(row grid, grid column, width)` for each zero point that is stored, in the order of the file: group after
/// group; in a group row after row, or column after column.
template <class Function>
void for_each_stored_zero(const packed_shape& shape, const column_groups& members, Function&& one) {
  for (std::int64_t g = 0; g < shape.groups(); ++g) {
    const int width = shape.widths[static_cast<std::size_t>(g)];
    const auto columns = members.of(g);
    const auto count = shape.zeros_of(g);
    for (std::int64_t i = 0; i < count; ++i) {
      if (shape.layout == grid_layout::per_row_and_group)
        one(i, g, width);
      else if (has_column_scales(shape.layout))
        one(0, columns[static_cast<std::size_t>(i)], width);
      else
        one(0, g, width);
    }
  }
}

inline void check_zeros(const char* function, const packed_shape& shape, const column_groups& members,
                        const grid_set& grids) {
  if (shape.symmetry == grid_symmetry::symmetric) {
    for (std::int64_t g = 0; g < shape.grid_columns(); ++g)
      for (std::int64_t r = 0; r < shape.grid_rows(); ++r)
        require(grids.zero(r, g) == symmetric_zero(grids.bits[static_cast<std::size_t>(g)]), function,
                ": the zero point of a symmetric grid must be ",
                symmetric_zero(grids.bits[static_cast<std::size_t>(g)]), ", got ", grids.zero(r, g), " in grid column ",
                g);
    return;
  }
  for_each_stored_zero(shape, members, [&](std::int64_t r, std::int64_t g, int width) {
    stored_zero(function, grids.zero(r, g), width, shape.symmetry, g);
  });
  if (shape.layout == grid_layout::row_by_column)  // one zero point stands for all columns of a group
    for (std::int64_t g = 0; g < shape.groups(); ++g)
      for (const auto c : members.of(g))
        require(grids.zero(0, c) == grids.zero(0, members.of(g)[0]), function, ": columns of group ", g,
                " must share a zero point in this layout, got ", grids.zero(0, members.of(g)[0]), " and ",
                grids.zero(0, c));
}

inline void check_source_codes(const char* function, const packed_layer_source& layer, const packed_shape& shape) {
  std::vector<std::uint8_t> largest(static_cast<std::size_t>(shape.columns));
  for (std::int64_t c = 0; c < shape.columns; ++c)
    largest[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(
        maximum_code(shape.widths[static_cast<std::size_t>(layer.labels[c])], shape.symmetry));
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    unsigned beyond = 0;
    const auto* codes = layer.codes.data() + r * layer.codes.leading();
    const auto* kept = layer.kept.data() + r * layer.kept.leading();
    for (std::int64_t c = 0; c < shape.columns; ++c)
      beyond |=
          static_cast<unsigned>(kept[c] != 0) & static_cast<unsigned>(codes[c] > largest[static_cast<std::size_t>(c)]);
    if (beyond == 0) continue;
    for (std::int64_t c = 0; c < shape.columns; ++c)
      require(kept[c] == 0 || codes[c] <= largest[static_cast<std::size_t>(c)], function, ": code of row ", r,
              ", column ", c, " must be 0 to ", static_cast<int>(largest[static_cast<std::size_t>(c)]), ", got ",
              static_cast<int>(codes[c]));
  }
}

inline void write_header(const packed_shape& shape, std::span<std::byte> bytes) {
  auto* out = bytes.data();
  const auto sizes = shape.section_bits();
  std::fill_n(out, packed_header_bytes, std::byte{0});
  std::memcpy(out, packed_magic.data(), packed_magic.size());
  store_little(packed_version, out + packed_field::version);
  store_little((shape.masked ? packed_has_mask : 0) | (shape.quantised ? 0 : packed_is_half) |
                   (shape.labelled ? packed_has_labels : 0),
               out + packed_field::flags);
  const auto put = [&](std::int64_t field, std::int64_t value) {
    store_little(static_cast<std::uint64_t>(value), out + field);
  };
  put(packed_field::rows, shape.rows);
  put(packed_field::columns, shape.columns);
  put(packed_field::groups, shape.groups());
  out[packed_field::symmetry] = static_cast<std::byte>(shape.symmetry);
  out[packed_field::layout] = static_cast<std::byte>(shape.layout);
  out[packed_field::format] = static_cast<std::byte>(shape.format);
  out[packed_field::width] = static_cast<std::byte>(shape.groups() == 1 ? shape.widths[0] : 0);
  put(packed_field::kept, shape.kept());
  put(packed_field::total_bytes, section_offsets(sizes).back());
  for (std::size_t i = 0; i < packed_sections; ++i)
    put(packed_field::section_bits + static_cast<std::int64_t>(8 * i), sizes[i]);
}

/// Writes the mask, where there is one.
inline void write_mask(matrix_view<const std::uint8_t> kept, std::byte* bytes) {
  section_writer out(bytes);
  for (std::int64_t r = 0; r < kept.rows(); ++r) {
    const auto* row = kept.data() + r * kept.leading();
    std::int64_t c = 0;
    for (; c + 8 <= kept.columns(); c += 8) {
      std::uint32_t eight = 0;
      for (int i = 0; i < 8; ++i) eight |= (row[c + i] != 0 ? 1U : 0U) << i;
      out.put(eight, 8);
    }
    for (; c < kept.columns(); ++c) out.put(row[c] != 0 ? 1 : 0, 1);
  }
  out.finish();
}

inline void pack_layer_into(const packed_layer_source& layer, const packed_shape& shape, std::span<std::byte> bytes) {
  const auto offsets = section_offsets(shape.section_bits());
  require(static_cast<std::int64_t>(bytes.size()) == offsets.back(), "pack_layer: bytes must be ", offsets.back(),
          ", as packed_layer_bytes says, got ", bytes.size());
  const auto& grids = layer.grids;
  const auto members = columns_by_group(layer.labels, shape.groups());
  const auto scale_count = static_cast<std::size_t>(grids.scale.size());
  const stored_scales scales("pack_layer", "scale", {grids.scale.data(), scale_count}, shape.format);
  const stored_scales factors("pack_layer", "row factor", grids.row_factor, shape.format);
  if (!grids.row_factor.empty()) {
    const float largest = *std::max_element(factors.values.begin(), factors.values.end()) *
                          *std::max_element(scales.values.begin(), scales.values.end());
    require(largest <= packed_largest_scale, "pack_layer: row factors times scales must be at most ",
            packed_largest_scale, ", got ", largest);
  }
  check_zeros("pack_layer", shape, members, grids);
  check_source_codes("pack_layer", layer, shape);

  const auto at = [&](packed_section which) {
    return section_writer(bytes.data() + offsets[static_cast<std::size_t>(which)]);
  };
  write_header(shape, bytes);
  if (shape.groups() > 1) {
    auto out = at(packed_section::widths);
    for (const auto width : shape.widths) out.put(width - 1U, 3);
    out.finish();
  }
  if (shape.labelled) {
    auto out = at(packed_section::labels);
    for (const auto label : layer.labels) out.put(static_cast<std::uint32_t>(label), index_bits(shape.groups()));
    out.finish();
  }
  if (shape.masked) write_mask(layer.kept, bytes.data() + offsets[static_cast<std::size_t>(packed_section::mask)]);
  auto scales_out = at(packed_section::scales);
  scales.write(scales_out);
  scales_out.finish();
  if (is_rank_one(shape.layout)) {
    auto out = at(packed_section::row_factors);
    factors.write(out);
    out.finish();
  }
  if (shape.symmetry != grid_symmetry::symmetric) {
    auto out = at(packed_section::zeros);
    for_each_stored_zero(shape, members, [&](std::int64_t r, std::int64_t g, int width) {
      out.put(stored_zero("pack_layer", grids.zero(r, g), width, shape.symmetry, g), width);
    });
    out.finish();
  }
  auto codes = at(packed_section::codes);
  for (std::int64_t g = 0; g < shape.groups(); ++g) {
    const unsigned width = shape.widths[static_cast<std::size_t>(g)];
    for (std::int64_t r = 0; r < shape.rows; ++r)
      for (const auto c : members.of(g)) {
        const unsigned keep = layer.kept(r, c) != 0 ? 1 : 0;  // a masked weight adds no bit: without a branch
        codes.put(layer.codes(r, c) & (0U - keep), static_cast<int>(width * keep));
      }
  }
  codes.finish();
}

inline void pack_layer_on(const host_executor&, const packed_layer_source& layer, std::span<std::byte> bytes) {
  pack_layer_into(layer, shape_of("pack_layer", layer), bytes);
}

inline std::vector<std::byte> pack_layer_on(const host_executor&, const packed_layer_source& layer) {
  const auto shape = shape_of("pack_layer", layer);
  std::vector<std::byte> bytes(static_cast<std::size_t>(section_offsets(shape.section_bits()).back()));
  pack_layer_into(layer, shape, bytes);
  return bytes;
}

inline std::vector<std::byte> pack_pruned_layer_on(const host_executor&, matrix_view<const float> weights,
                                                   matrix_view<const std::uint8_t> kept) {
  check_packed_shape("pack_pruned_layer", kept);
  require(weights.rows() == kept.rows() && weights.columns() == kept.columns(), "pack_pruned_layer: weights must be ",
          shape_text(kept.rows(), kept.columns()), " like kept, got ", shape_text(weights.rows(), weights.columns()));
  packed_shape shape;
  shape.rows = kept.rows();
  shape.columns = kept.columns();
  shape.quantised = false;
  shape.widths = {16};
  count_groups(shape, kept, {});
  const auto offsets = section_offsets(shape.section_bits());
  std::vector<std::byte> bytes(static_cast<std::size_t>(offsets.back()));
  write_header(shape, bytes);
  if (shape.masked) write_mask(kept, bytes.data() + offsets[static_cast<std::size_t>(packed_section::mask)]);
  section_writer codes(bytes.data() + offsets[static_cast<std::size_t>(packed_section::codes)]);
  for (std::int64_t r = 0; r < shape.rows; ++r)
    for (std::int64_t c = 0; c < shape.columns; ++c) {
      if (kept(r, c) == 0) continue;
      const float16 half(weights(r, c));
      require((half.bits & 0x7C00U) != 0x7C00U, "pack_pruned_layer: weight of row ", r, ", column ", c,
              " must be finite in half precision, got ", weights(r, c));
      codes.put(half.bits, 16);
    }
  codes.finish();
  return bytes;
}

template <class T>
T converted(float value) {
  if constexpr (std::is_same_v<T, float>) return value;
  return T(value);
}

/// Calls `one(row, column, keep, field)` for each weight, group after group; `field` means nothing where `keep` is 0.
template <class Start, class One>
void for_each_code(const packed_layer_view& layer, Start&& start, One&& one) {
  const auto members = columns_by_group(layer.labels(), layer.groups());
  const mask_bits mask(layer.section(packed_section::mask));
  section_reader in(layer.section(packed_section::codes));
  for (std::int64_t g = 0; g < layer.groups(); ++g) {
    const int width = layer.widths()[static_cast<std::size_t>(g)];
    for (std::int64_t r = 0; r < layer.rows(); ++r) {
      start(r, g);
      for (const auto c : members.of(g)) {
        const auto keep = mask.at(r * layer.columns() + c);
        const auto field = in.peek(width);
        one(r, c, keep, field);
        in.skip(static_cast<int>(keep) * width);
      }
    }
  }
}

template <class T>
void unpack_layer_on(const host_executor&, const packed_layer_view& layer, matrix_view<T> weights) {
  require(weights.rows() == layer.rows() && weights.columns() == layer.columns(), "unpack_layer: weights must be ",
          shape_text(layer.rows(), layer.columns()), ", got ", shape_text(weights.rows(), weights.columns()));
  if (!layer.quantised()) {
    for_each_code(
        layer, [](std::int64_t, std::int64_t) {},
        [&](std::int64_t r, std::int64_t c, unsigned keep, std::uint32_t field) {
          const float value = miq::detail::half_bits_to_float(static_cast<std::uint16_t>(field));
          weights(r, c) = converted<T>(keep != 0 ? value : 0.0F);
        });
    return;
  }
  const auto grids = layer.grids();
  if (has_column_scales(layer.layout())) {
    for_each_code(
        layer, [](std::int64_t, std::int64_t) {},
        [&](std::int64_t r, std::int64_t c, unsigned keep, std::uint32_t field) {
          const float value = dequantise(static_cast<std::int32_t>(field), grids.at(r, c));
          weights(r, c) = converted<T>(keep != 0 ? value : 0.0F);
        });
    return;
  }
  // All codes of a row and group share a grid: its levels are a table, behind which stands the 0 of masked weights, so
  // that random masks cost no branches.
  constexpr std::size_t masked = 256;
  std::array<T, masked + 1> level{};
  const auto members = columns_by_group(layer.labels(), layer.groups());
  for_each_code(
      layer,
      [&](std::int64_t r, std::int64_t g) {
        const auto columns = members.of(g);
        if (columns.empty()) return;
        const auto grid = grids.at(r, columns[0]);
        for (std::int32_t code = 0; code <= grid.maximum_code; ++code)
          level[static_cast<std::size_t>(code)] = converted<T>(dequantise(code, grid));
      },
      [&](std::int64_t r, std::int64_t c, unsigned keep, std::uint32_t field) {
        weights(r, c) = level[(field & (0U - keep)) | (masked & (keep - 1U))];
      });
}

inline void unpack_layer_codes_on(const host_executor&, const packed_layer_view& layer, matrix_view<std::uint8_t> codes,
                                  matrix_view<std::uint8_t> kept) {
  require(layer.quantised(), "unpack_layer_codes: the layer must be quantised; unpack_layer gives its weights");
  require(codes.rows() == layer.rows() && codes.columns() == layer.columns(), "unpack_layer_codes: codes must be ",
          shape_text(layer.rows(), layer.columns()), ", got ", shape_text(codes.rows(), codes.columns()));
  require(kept.rows() == layer.rows() && kept.columns() == layer.columns(), "unpack_layer_codes: kept must be ",
          shape_text(layer.rows(), layer.columns()), ", got ", shape_text(kept.rows(), kept.columns()));
  for_each_code(
      layer, [](std::int64_t, std::int64_t) {},
      [&](std::int64_t r, std::int64_t c, unsigned keep, std::uint32_t field) {
        codes(r, c) = static_cast<std::uint8_t>(field & (0U - keep));
        kept(r, c) = static_cast<std::uint8_t>(keep);
      });
}

}  // namespace detail

/// Reading of a view's own bytes.
struct packed_layer_view::access {
  const packed_layer_view& view;

  template <class... Parts>
  static void expect(bool condition, const Parts&... parts) {
    miq::detail::require(condition, "packed_layer_view: ", parts...);
  }

  std::int64_t number(std::int64_t field, const char* name, std::int64_t least, std::int64_t most) const {
    const auto value = detail::load_little<std::uint64_t>(view.bytes_.data() + field);
    expect(value >= static_cast<std::uint64_t>(least) && value <= static_cast<std::uint64_t>(most), name, " must be ",
           least, " to ", most, ", got ", value);
    return static_cast<std::int64_t>(value);
  }

  unsigned small(std::int64_t field, const char* name, unsigned most) const {
    const auto value = std::to_integer<unsigned>(view.bytes_[static_cast<std::size_t>(field)]);
    expect(value <= most, name, " must be 0 to ", most, ", got ", value);
    return value;
  }

  /// Unused bits behind a section's last bit.
  void check_padding(packed_section which) const {
    const auto section = view.section(which);
    const auto bits = view.section_bits(which);
    for (auto bit = bits; bit < static_cast<std::int64_t>(section.size()) * 8; ++bit)
      expect((std::to_integer<unsigned>(section[static_cast<std::size_t>(bit / 8)]) >> bit % 8 & 1U) == 0,
             "bits behind the ", bits, " of section ", name_of(which), " must be 0");
  }

  detail::packed_shape shape(const detail::column_groups& members) const {
    detail::packed_shape result;
    result.rows = view.rows_;
    result.columns = view.columns_;
    result.symmetry = view.symmetry_;
    result.layout = view.layout_;
    result.format = view.format_;
    result.quantised = view.quantised_;
    result.widths = view.widths_;
    for (std::int64_t g = 0; g < view.groups(); ++g)
      result.group_columns.push_back(static_cast<std::int64_t>(members.of(g).size()));
    return result;
  }
};

MIQ_API std::string_view name_of(packed_section section) {
  constexpr std::array<std::string_view, packed_sections> names{"widths", "labels",      "permutation", "mask",
                                                                "scales", "row_factors", "zeros",       "codes"};
  return names[static_cast<std::size_t>(section)];
}

MIQ_API std::int64_t packed_layer_bytes(const packed_layer_source& layer) {
  return detail::section_offsets(detail::shape_of("packed_layer_bytes", layer).section_bits()).back();
}

template <executor Exec>
void pack_layer(const Exec& exec, const packed_layer_source& layer, std::span<std::byte> bytes) {
  detail::pack_layer_on(exec, layer, bytes);
}

template <executor Exec>
std::vector<std::byte> pack_layer(const Exec& exec, const packed_layer_source& layer) {
  return detail::pack_layer_on(exec, layer);
}

template <executor Exec>
std::vector<std::byte> pack_pruned_layer(const Exec& exec, matrix_view<const float> weights,
                                         matrix_view<const std::uint8_t> kept) {
  return detail::pack_pruned_layer_on(exec, weights, kept);
}

MIQ_API packed_layer_view::packed_layer_view(std::span<const std::byte> bytes) : bytes_(bytes) {
  using detail::packed_header_bytes;
  namespace field = detail::packed_field;
  const access read{*this};
  const auto size = static_cast<std::int64_t>(bytes.size());
  access::expect(size >= packed_header_bytes, "a packed layer begins with ", packed_header_bytes, " bytes, got ", size);
  access::expect(std::memcmp(bytes.data(), detail::packed_magic.data(), detail::packed_magic.size()) == 0,
                 "a packed layer begins with '", detail::packed_magic, "'; these bytes do not");
  const auto version = detail::load_little<std::uint32_t>(bytes.data() + field::version);
  access::expect(version == detail::packed_version, "version must be ", detail::packed_version, ", got ", version);
  const auto flags = detail::load_little<std::uint32_t>(bytes.data() + field::flags);
  access::expect(flags < 8, "flags must be 0 to 7 (a column permutation is reserved for later versions), got ", flags);
  access::expect(detail::load_little<std::uint32_t>(bytes.data() + field::reserved) == 0, "bytes 44 to 47 must be 0");
  access::expect(read.number(field::total_bytes, "total bytes", packed_header_bytes,
                             std::numeric_limits<std::int64_t>::max()) == size,
                 "the layer says it has ", read.number(field::total_bytes, "total bytes", 0, INT64_MAX), " bytes, got ",
                 size);
  rows_ = read.number(field::rows, "rows", 1, detail::packed_most_extent);
  columns_ = read.number(field::columns, "columns", 1, detail::packed_most_extent);
  // Every weight has at least one bit: of the mask, or of its code.
  access::expect(rows_ * columns_ <= 8 * (size - packed_header_bytes), detail::shape_text(rows_, columns_),
                 " weights cannot lie in ", size, " bytes");
  kept_ = read.number(field::kept, "kept weights", 0, rows_ * columns_);
  const bool has_mask = (flags & detail::packed_has_mask) != 0;
  access::expect(has_mask == (kept_ < rows_ * columns_),
                 "a mask must be there where weights are masked, and only there");
  quantised_ = (flags & detail::packed_is_half) == 0;
  symmetry_ = static_cast<grid_symmetry>(read.small(field::symmetry, "symmetry", 2));
  layout_ = static_cast<grid_layout>(read.small(field::layout, "layout", 4));
  format_ = static_cast<scale_format>(read.small(field::format, "scale format", 2));
  const auto groups = read.number(field::groups, "groups", 1, quantised_ ? columns_ : 1);
  const auto width = read.small(field::width, "width", 16);
  access::expect(!quantised_ ? width == 16 : (groups > 1 ? width == 0 : width >= 1 && width <= 8),
                 "width must be 1 to 8 for a single group, 0 for several, 16 for weights in half precision; got ",
                 width);
  const bool has_labels = (flags & detail::packed_has_labels) != 0;
  access::expect(has_labels ? groups > 1 : groups == 1 || groups == columns_,
                 "labels must be there where columns share one of several groups, and never for one group");
  access::expect(quantised_ || (symmetry_ == grid_symmetry{} && layout_ == grid_layout{} && format_ == scale_format{}),
                 "symmetry, layout and scale format must be 0 where nothing is quantised");

  // The sizes that the header names, so that sections can be found; whether they are right is seen on the way.
  std::int64_t sum = packed_header_bytes;
  for (std::size_t i = 0; i < packed_sections; ++i) {
    bits_[i] = read.number(field::section_bits + static_cast<std::int64_t>(8 * i), "bits of a section", 0, 8 * size);
    sum += detail::padded_bytes(bits_[i]);
  }
  access::expect(sum == size, "header and sections have ", sum, " bytes, got ", size);
  const auto expect_bits = [&](packed_section which, std::int64_t expected) {
    access::expect(section_bits(which) == expected, "section ", name_of(which), " must have ", expected, " bits, got ",
                   section_bits(which));
    read.check_padding(which);
  };

  expect_bits(packed_section::widths, groups > 1 ? 3 * groups : 0);
  expect_bits(packed_section::labels, has_labels ? columns_ * index_bits(groups) : 0);
  expect_bits(packed_section::permutation, 0);
  expect_bits(packed_section::mask, has_mask ? rows_ * columns_ : 0);
  widths_.assign(static_cast<std::size_t>(groups), static_cast<std::uint8_t>(width));
  if (groups > 1) {
    detail::section_reader in(section(packed_section::widths));
    for (auto& one : widths_) one = static_cast<std::uint8_t>(in.get(3) + 1);
  }
  labels_.assign(static_cast<std::size_t>(columns_), 0);
  if (has_labels) {
    detail::section_reader in(section(packed_section::labels));
    for (std::size_t c = 0; c < labels_.size(); ++c) {
      labels_[c] = static_cast<std::int32_t>(in.get(index_bits(groups)));
      access::expect(labels_[c] < groups, "label of column ", c, " must be 0 to ", groups - 1, ", got ", labels_[c]);
    }
    access::expect(detail::needs_labels(labels_, groups), "labels must not be there where each column is a group");
  } else if (groups > 1) {
    for (std::size_t c = 0; c < labels_.size(); ++c) labels_[c] = static_cast<std::int32_t>(c);
  }

  const auto members = detail::columns_by_group(labels_, groups);
  auto shape = read.shape(members);
  shape.masked = has_mask;
  shape.labelled = has_labels;
  shape.group_kept.assign(static_cast<std::size_t>(groups), 0);
  const detail::mask_bits mask(section(packed_section::mask));
  for (std::int64_t r = 0; r < rows_; ++r)
    for (std::int64_t c = 0; c < columns_; ++c)
      shape.group_kept[static_cast<std::size_t>(labels_[static_cast<std::size_t>(c)])] += mask.at(r * columns_ + c);
  access::expect(shape.kept() == kept_, "the mask keeps ", shape.kept(), " weights, the header says ", kept_);
  const auto expected = shape.section_bits();
  for (std::size_t i = 0; i < packed_sections; ++i) expect_bits(static_cast<packed_section>(i), expected[i]);
  first_bit_.assign(static_cast<std::size_t>(groups) + 1, 0);
  for (std::size_t g = 0; g < widths_.size(); ++g) first_bit_[g + 1] = first_bit_[g] + shape.group_kept[g] * widths_[g];

  // The values. Scales are checked as they are decoded; every pattern of bits is a zero point.
  if (quantised_) static_cast<void>(grids());
  detail::section_reader in(section(packed_section::codes));
  for (std::size_t g = 0; g < widths_.size(); ++g) {
    if (quantised_ && (symmetry_ != grid_symmetry::symmetric || widths_[g] == 1)) {
      // All codes are levels.
      if (symmetry_ != grid_symmetry::symmetric) break;
      for (std::int64_t i = 0; i < shape.group_kept[g]; ++i) static_cast<void>(in.get(1));
      continue;
    }
    const auto largest =
        quantised_ ? static_cast<std::uint32_t>(maximum_code(widths_[g], grid_symmetry::symmetric)) : 0U;
    for (std::int64_t i = 0; i < shape.group_kept[g]; ++i) {
      const auto code = in.get(widths_[g]);
      if (quantised_)
        access::expect(code <= largest, "a code of group ", g, " must be 0 to ", largest, ", got ", code);
      else
        access::expect((code & 0x7C00U) != 0x7C00U, "kept weight ", i, " must be finite");
    }
  }
}

MIQ_API std::span<const std::byte> packed_layer_view::section(packed_section which) const {
  const auto offsets = detail::section_offsets(bits_);
  const auto i = static_cast<std::size_t>(which);
  if (bits_[i] == 0) return {};
  return bytes_.subspan(static_cast<std::size_t>(offsets[i]), static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
}

MIQ_API std::int64_t packed_layer_view::payload_bits() const {
  std::int64_t sum = 0;
  for (const auto bits : bits_) sum += bits;
  return sum;
}

MIQ_API grid_set packed_layer_view::grids() const {
  grid_set result;
  if (!quantised_) return result;
  const auto members = detail::columns_by_group(labels_, groups());
  const auto shape = access{*this}.shape(members);
  const bool own_columns = has_column_scales(layout_);
  result.symmetry = symmetry_;
  result.format = format_;
  result.layout = layout_;
  result.scale = matrix<float>(shape.grid_rows(), shape.grid_columns());
  result.zero = matrix<float>(shape.grid_rows(), shape.grid_columns());
  result.bits.resize(static_cast<std::size_t>(shape.grid_columns()));
  result.column_grid.resize(labels_.size());
  for (std::size_t c = 0; c < labels_.size(); ++c) {
    result.column_grid[c] = own_columns ? static_cast<std::int32_t>(c) : labels_[c];
    if (own_columns) result.bits[c] = widths_[static_cast<std::size_t>(labels_[c])];
  }
  if (!own_columns) result.bits = widths_;
  detail::read_scales(section(packed_section::scales), format_, "scale",
                      {result.scale.data(), static_cast<std::size_t>(result.scale.size())});
  if (is_rank_one(layout_)) {
    result.row_factor.resize(static_cast<std::size_t>(rows_));
    detail::read_scales(section(packed_section::row_factors), format_, "row factor", result.row_factor);
    const float* scales = result.scale.data();
    const float largest = *std::max_element(result.row_factor.begin(), result.row_factor.end()) *
                          *std::max_element(scales, scales + result.scale.size());
    access::expect(largest <= detail::packed_largest_scale, "row factors times scales must be at most ",
                   detail::packed_largest_scale, ", got ", largest);
  }
  if (symmetry_ == grid_symmetry::symmetric) {
    for (std::int64_t r = 0; r < result.zero.rows(); ++r)
      for (std::int64_t g = 0; g < result.zero.columns(); ++g)
        result.zero(r, g) = detail::symmetric_zero(result.bits[static_cast<std::size_t>(g)]);
    return result;
  }
  detail::section_reader in(section(packed_section::zeros));
  detail::for_each_stored_zero(shape, members, [&](std::int64_t r, std::int64_t g, int width) {
    result.zero(r, g) = detail::zero_of_field(in.get(width), symmetry_);
  });
  if (layout_ == grid_layout::row_by_column)
    for (std::int64_t g = 0; g < groups(); ++g)
      for (const auto c : members.of(g)) result.zero(0, c) = result.zero(0, members.of(g)[0]);
  return result;
}

template <executor Exec, class T>
void unpack_layer(const Exec& exec, const packed_layer_view& layer, matrix_view<T> weights) {
  detail::unpack_layer_on(exec, layer, weights);
}

template <executor Exec>
matrix<float> unpack_layer(const Exec& exec, const packed_layer_view& layer) {
  matrix<float> weights(layer.rows(), layer.columns());
  detail::unpack_layer_on(exec, layer, weights.view());
  return weights;
}

template <executor Exec>
void unpack_layer_codes(const Exec& exec, const packed_layer_view& layer, matrix_view<std::uint8_t> codes,
                        matrix_view<std::uint8_t> kept) {
  detail::unpack_layer_codes_on(exec, layer, codes, kept);
}

}  // namespace miq::quantization
