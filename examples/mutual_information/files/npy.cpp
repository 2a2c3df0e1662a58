#include "mutual_information/files/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <miq/core/numeric_types.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "common/errors.hpp"
#include "common/text.hpp"
#include "common/whole_file.hpp"

namespace mutual_information {

namespace {

using examples::input_error;

constexpr std::string_view magic = "\x93NUMPY";

/// The Python dictionary in a header, of which three entries are known: `{'descr': '<f4', 'fortran_order': False,
/// 'shape': (3, 4), }`.
class header_parser {
 public:
  header_parser(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {}

  std::string type;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;

  void parse() {
    bool has_type = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const auto key = quoted();
      expect(':');
      if (key == "descr") {
        once(has_type, key);
        if (peek() == '[' || peek() == '{' || peek() == '(') fail("holds structures, not plain numbers");
        type = quoted();
      } else if (key == "fortran_order") {
        once(has_order, key);
        fortran_order = truth();
      } else if (key == "shape") {
        once(has_shape, key);
        extents();
      } else {
        fail("the header has an entry '" + key + "' that is not known");
      }
      if (accept(',')) continue;
      expect('}');
      break;
    }
    skip_space();
    if (place_ != text_.size()) fail("the header goes on behind its end");
    if (!has_type || !has_order || !has_shape) fail("the header lacks descr, fortran_order or shape");
  }

 private:
  std::string_view text_;
  std::string source_;
  std::size_t place_ = 0;

  [[noreturn]] void fail(const std::string& reason) const { throw input_error(source_ + ": " + reason); }

  void skip_space() {
    while (place_ < text_.size() && std::string_view(" \t\n\r\f").find(text_[place_]) != std::string_view::npos)
      ++place_;
  }
  char peek() {
    skip_space();
    return place_ < text_.size() ? text_[place_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || place_ == text_.size()) return false;
    ++place_;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      fail(std::string("the header is not a dictionary as NumPy writes it: expected '") + c + "' at byte " +
           std::to_string(place_));
  }
  void once(bool& seen, const std::string& key) const {
    if (std::exchange(seen, true)) fail("the header names '" + key + "' twice");
  }

  std::string quoted() {
    const char mark = peek();
    if (mark != '\'' && mark != '"') expect('\'');
    const auto begin = ++place_;
    place_ = std::min(text_.find(mark, begin), text_.size());
    const auto inside = text_.substr(begin, place_ - begin);
    if (place_ == text_.size() || inside.find('\\') != std::string_view::npos)
      fail("the header holds a text that does not end or has escapes");
    ++place_;
    return std::string(inside);
  }

  bool truth() {
    skip_space();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.substr(place_, word.size()) == word) {
        place_ += word.size();
        return value;
      }
    fail("fortran_order is neither True nor False");
  }

  void extents() {
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t extent = 0;
      const auto* const begin = text_.data() + place_;
      const auto [end, failure] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (failure == std::errc::result_out_of_range) fail("an extent of the shape is too large");
      if (failure != std::errc() || extent < 0) fail("an extent of the shape is not a whole number from 0 on");
      place_ += static_cast<std::size_t>(end - begin);
      if (place_ < text_.size() && text_[place_] == 'L') ++place_;  // as Python 2 wrote long integers
      shape.push_back(extent);
      if (shape.size() > 32) fail("the shape has more than 32 extents");
      if (accept(',')) continue;
      expect(')');
      break;
    }
  }
};

template <class T>
double element(const std::byte* place, bool swapped) {
  std::array<std::byte, sizeof(T)> bytes;
  std::memcpy(bytes.data(), place, sizeof(T));
  if (swapped) std::reverse(bytes.begin(), bytes.end());
  return static_cast<double>(std::bit_cast<T>(bytes));
}

double half_element(const std::byte* place, bool swapped) {
  std::array<std::byte, 2> bytes;
  std::memcpy(bytes.data(), place, 2);
  if (swapped) std::swap(bytes[0], bytes[1]);
  return static_cast<double>(static_cast<float>(std::bit_cast<miq::float16>(bytes)));
}

template <class T>
void write_array(const std::filesystem::path& file, miq::matrix_view<const T> matrix) {
  static_assert(std::endian::native == std::endian::little, "files are written as they lie in memory");
  examples::require(matrix.contiguous(), "write_npy: rows must be contiguous");
  std::string header = "{'descr': '<f" + std::to_string(sizeof(T)) + "', 'fortran_order': False, 'shape': (" +
                       std::to_string(matrix.rows()) + ", " + std::to_string(matrix.columns()) + "), }";
  constexpr std::size_t alignment = 64;
  const auto preamble = magic.size() + 4;
  const auto total = (preamble + header.size() + 1 + alignment - 1) / alignment * alignment;
  header.resize(total - preamble - 1, ' ');
  header += '\n';
  std::string front(magic);
  front += {'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  front += header;
  examples::write_whole_file(file, {front, std::string_view(reinterpret_cast<const char*>(matrix.data()),
                                                            static_cast<std::size_t>(matrix.size()) * sizeof(T))});
}

}  // namespace

bool is_npy(std::span<const std::byte> bytes) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

npy_array::npy_array(examples::mapped_file file) : file_(std::move(file)) {
  const auto source = file_.path().string();
  const auto fail = [&](const std::string& reason) { throw input_error(source + ": " + reason); };
  const auto bytes = file_.bytes();
  if (!is_npy(bytes)) fail("not a .npy file");
  if (bytes.size() < magic.size() + 2) fail("ends within its .npy header");
  const auto version = static_cast<int>(bytes[magic.size()]);
  if (version < 1 || version > 3 || bytes[magic.size() + 1] != std::byte{0})
    fail("version " + std::to_string(version) + '.' + std::to_string(static_cast<int>(bytes[magic.size() + 1])) +
         " of the .npy format is not known");
  const std::size_t width = version == 1 ? 2 : 4;
  const auto begin = magic.size() + 2 + width;
  if (bytes.size() < begin) fail("ends within its .npy header");
  std::size_t length = 0;
  for (std::size_t i = 0; i < width; ++i) length |= static_cast<std::size_t>(bytes[begin - width + i]) << (8 * i);
  if (length > (std::size_t{1} << 16)) fail("its .npy header is longer than 64 KiB");
  if (bytes.size() - begin < length) fail("ends within its .npy header");

  header_parser header(file_.text().substr(begin, length), source);
  header.parse();
  type_ = header.type;
  fortran_order_ = header.fortran_order;
  shape_ = std::move(header.shape);

  // Byte order, kind, bytes of an element.
  const bool known = type_.size() == 3 && std::string_view("<>|=").find(type_[0]) != std::string_view::npos &&
                     type_[2] >= '1' && type_[2] <= '9';
  const auto size = known ? static_cast<std::size_t>(type_[2] - '0') : 0;
  kind_ = known ? type_[1] : '?';
  const bool whole = size == 1 || size == 2 || size == 4 || size == 8;
  const bool readable =
      (kind_ == 'b' && size == 1) || ((kind_ == 'i' || kind_ == 'u') && whole) || (kind_ == 'f' && whole && size > 1);
  if (!readable || (type_[0] == '|' && size > 1))
    fail("has elements of type '" + type_ + "'; booleans, integers and floats of 16, 32 and 64 bits are read");
  size_ = size;
  constexpr char native = std::endian::native == std::endian::little ? '<' : '>';
  swapped_ = size > 1 && type_[0] != native && type_[0] != '=';

  std::uint64_t elements = 1;
  for (const auto extent : shape_) {
    const auto count = static_cast<std::uint64_t>(extent);
    if (count != 0 && elements > std::numeric_limits<std::uint64_t>::max() / 16 / count)
      fail("its shape is too large for any file");
    elements *= count;
  }
  data_ = bytes.subspan(begin + length);
  const auto promised = elements * size_;
  if (data_.size() < promised)
    fail("is truncated: its header promises " + std::to_string(promised) + " bytes of data, and there are " +
         std::to_string(data_.size()));
  if (data_.size() > promised)
    fail("holds more than its header promises: " + std::to_string(data_.size()) + " bytes of data instead of " +
         std::to_string(promised));
}

bool npy_array::fits_float() const { return size_ <= 2 || (kind_ == 'f' && size_ == 4); }

double npy_array::operator[](std::int64_t place) const {
  const auto* const at = data_.data() + static_cast<std::size_t>(place) * size_;
  if (kind_ == 'f') {
    if (size_ == 4) return element<float>(at, swapped_);
    return size_ == 8 ? element<double>(at, swapped_) : half_element(at, swapped_);
  }
  if (kind_ == 'b') return *at != std::byte{0} ? 1 : 0;
  const bool is_signed = kind_ == 'i';
  switch (size_) {
    case 1:
      return is_signed ? element<std::int8_t>(at, false) : element<std::uint8_t>(at, false);
    case 2:
      return is_signed ? element<std::int16_t>(at, swapped_) : element<std::uint16_t>(at, swapped_);
    case 4:
      return is_signed ? element<std::int32_t>(at, swapped_) : element<std::uint32_t>(at, swapped_);
    default:
      return is_signed ? element<std::int64_t>(at, swapped_) : element<std::uint64_t>(at, swapped_);
  }
}

void write_npy(const std::filesystem::path& file, miq::matrix_view<const float> matrix) { write_array(file, matrix); }
void write_npy(const std::filesystem::path& file, miq::matrix_view<const double> matrix) { write_array(file, matrix); }

}  // namespace mutual_information
