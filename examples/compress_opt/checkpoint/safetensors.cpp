// The safetensors format: 8 bytes header length (little endian), a JSON header that gives each tensor's type, shape and
// byte range, then the tensors' bytes without gaps or overlaps.
#include <algorithm>
#include <map>
#include <utility>

#include "common/mapped_file.hpp"
#include "compress_opt/checkpoint/tensor_source.hpp"
#include "compress_opt/errors.hpp"
#include "compress_opt/files/json.hpp"

namespace compress_opt {

namespace {

constexpr std::uint64_t longest_header = 100'000'000;  // the limit of the format's own library

struct known_type {
  std::string_view name;
  std::int64_t bytes;
  std::optional<element_type> type;
};

constexpr known_type known_types[] = {{"F32", 4, element_type::float32},
                                      {"F16", 2, element_type::float16},
                                      {"BF16", 2, element_type::bfloat16},
                                      {"F64", 8, {}},
                                      {"I64", 8, {}},
                                      {"U64", 8, {}},
                                      {"I32", 4, {}},
                                      {"U32", 4, {}},
                                      {"I16", 2, {}},
                                      {"U16", 2, {}},
                                      {"I8", 1, {}},
                                      {"U8", 1, {}},
                                      {"BOOL", 1, {}},
                                      {"F8_E4M3", 1, {}},
                                      {"F8_E5M2", 1, {}}};

class safetensors_file final : public tensor_source {
 public:
  explicit safetensors_file(const std::filesystem::path& path) : file_(path) {
    const auto bytes = file_.bytes();
    if (bytes.size() < 8) fail("is shorter than the 8 bytes that hold the header's length");
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    if (length > longest_header || length > bytes.size() - 8)
      fail("its header should have " + std::to_string(length) + " bytes, but the file has " +
           std::to_string(bytes.size()));
    data_ = bytes.subspan(8 + static_cast<std::size_t>(length));
    read_header(parse_json_object(file_.text().substr(8, static_cast<std::size_t>(length)), path.string()));
  }

  const std::filesystem::path& file() const override { return file_.path(); }

  std::vector<std::string> names() const override {
    std::vector<std::string> result;
    for (const auto& named : entries_) result.push_back(named.first);
    return result;
  }

  const tensor_description& describe(const std::string& name) const override { return find(name).description; }

  std::span<const std::byte> read(const std::string& name) override {
    const auto& found = find(name);
    return data_.subspan(found.begin, found.end - found.begin);
  }

 private:
  struct entry {
    tensor_description description;
    std::size_t begin;
    std::size_t end;
  };

  [[noreturn]] void fail(const std::string& what) const { throw checkpoint_error(file().string() + ": " + what); }
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    fail("tensor '" + tensor + "' " + what);
  }

  const entry& find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) fail(name, "is missing");
    return found->second;
  }

  void read_header(const nlohmann::json& header) {
    std::vector<std::pair<std::size_t, std::size_t>> ranges;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") continue;
      entry read = read_entry(name, value);
      ranges.emplace_back(read.begin, read.end);
      entries_.emplace(name, std::move(read));
    }
    std::sort(ranges.begin(), ranges.end());
    std::size_t end = 0;
    for (const auto& range : ranges) {
      if (range.first != end)
        fail("its tensors overlap or leave a gap at byte " + std::to_string(end) + " of the data");
      end = range.second;
    }
    if (end != data_.size())
      fail("its tensors need " + std::to_string(end) + " bytes of data, but the file has " +
           std::to_string(data_.size()));
  }

  entry read_entry(const std::string& name, const nlohmann::json& value) const {
    const auto numbers = [&](const char* key) {
      std::vector<std::int64_t> result;
      if (!value.is_object() || !value.contains(key) || !value[key].is_array())
        fail(name, std::string("has no list '") + key + "' in the header");
      for (const auto& number : value[key]) {
        if (!number.is_number_unsigned() || number.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
          fail(name, std::string("has a value in '") + key + "' that is not a size");
        result.push_back(number.get<std::int64_t>());
      }
      return result;
    };
    entry result{{numbers("shape"), {}, {}}, 0, 0};
    if (!value.contains("dtype") || !value["dtype"].is_string()) fail(name, "has no 'dtype' in the header");
    result.description.type_name = value["dtype"].get<std::string>();
    const auto* type = std::find_if(std::begin(known_types), std::end(known_types), [&](const known_type& known) {
      return known.name == result.description.type_name;
    });
    if (type == std::end(known_types)) fail(name, "has the unknown type '" + result.description.type_name + "'");
    result.description.type = type->type;

    const auto offsets = numbers("data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] || static_cast<std::size_t>(offsets[1]) > data_.size())
      fail(name, "lies outside the file's " + std::to_string(data_.size()) + " bytes of data");
    result.begin = static_cast<std::size_t>(offsets[0]);
    result.end = static_cast<std::size_t>(offsets[1]);
    const auto elements = element_count(result.description.shape);
    std::int64_t needed = 0;
    if (!elements || __builtin_mul_overflow(*elements, type->bytes, &needed) || needed != offsets[1] - offsets[0])
      fail(name, "has " + std::to_string(offsets[1] - offsets[0]) + " bytes, which does not fit its shape " +
                     shape_text(result.description.shape) + " of " + result.description.type_name);
    return result;
  }

  mapped_file file_;
  std::span<const std::byte> data_;
  std::map<std::string, entry> entries_;
};

}  // namespace

std::unique_ptr<tensor_source> open_safetensors(const std::filesystem::path& file) {
  return errors_as<checkpoint_error>([&] { return std::make_unique<safetensors_file>(file); });
}

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) {
  std::int64_t product = 1;
  for (const auto extent : shape)
    if (extent < 0 || __builtin_mul_overflow(product, extent, &product)) return {};
  return product;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const auto extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

std::int64_t bytes_of(element_type type) { return type == element_type::float32 ? 4 : 2; }

}  // namespace compress_opt
