// What torch.save writes since PyTorch 1.6: a zip archive NAME/data.pkl, NAME/byteorder (since 2.1), NAME/data/KEY ...
// with all entries stored, not compressed.
#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "common/mapped_file.hpp"
#include "compress_opt/checkpoint/pickle.hpp"
#include "compress_opt/checkpoint/tensor_source.hpp"
#include "compress_opt/errors.hpp"

namespace compress_opt {

namespace {

struct storage_type {
  std::string_view name;
  std::optional<element_type> type;
};

constexpr storage_type storage_types[] = {{"FloatStorage", element_type::float32},
                                          {"HalfStorage", element_type::float16},
                                          {"BFloat16Storage", element_type::bfloat16},
                                          {"DoubleStorage", {}},
                                          {"LongStorage", {}},
                                          {"IntStorage", {}},
                                          {"ShortStorage", {}},
                                          {"CharStorage", {}},
                                          {"ByteStorage", {}},
                                          {"BoolStorage", {}}};

struct close_archive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct close_entry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

class torch_archive final : public tensor_source {
 public:
  explicit torch_archive(const std::filesystem::path& path) : path_(path) {
    {
      const mapped_file file(path);  // names the reason if it cannot be opened
      file_bytes_ = file.bytes().size();
      if (!file.text().starts_with("PK"))
        fail(file.text().starts_with("\x80\x02")
                 ? "is in PyTorch's format from before version 1.6, which is not supported; load and save it with a "
                   "newer PyTorch"
                 : "is not a zip archive, as PyTorch's checkpoints are");
    }
    int code = 0;
    archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (!archive_) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string reason = zip_error_strerror(&error);
      zip_error_fini(&error);
      fail("is not a readable zip archive: " + reason);
    }
    find_entries();
    check_byte_order();
    const auto pickle = read_entry(prefix_ + "data.pkl");
    for (auto& [name, tensor] : read_state_dictionary(pickle, path_.string() + " (data.pkl)"))
      tensors_.emplace(name, describe_pickled(name, std::move(tensor)));
  }

  const std::filesystem::path& file() const override { return path_; }

  std::vector<std::string> names() const override {
    std::vector<std::string> result;
    for (const auto& tensor : tensors_) result.push_back(tensor.first);
    return result;
  }

  const tensor_description& describe(const std::string& name) const override { return find(name).description; }

  std::span<const std::byte> read(const std::string& name) override {
    const auto& [description, tensor] = find(name);
    const auto element = static_cast<std::size_t>(bytes_of(*description.type));
    if (loaded_key_ != tensor.storage_key) {
      loaded_key_.clear();
      storage_ = {};
      storage_ = read_entry(prefix_ + "data/" + tensor.storage_key);
      loaded_key_ = tensor.storage_key;
    }
    if (storage_.size() != static_cast<std::size_t>(tensor.storage_elements) * element)
      fail_tensor(name, "needs a storage of " + std::to_string(tensor.storage_elements) + " elements, but '" +
                            tensor.storage_key + "' has " + std::to_string(storage_.size()) + " bytes");
    const auto count = static_cast<std::size_t>(*element_count(description.shape));
    const auto* first = storage_.data() + static_cast<std::size_t>(tensor.offset) * element;
    if (count == 0 || is_contiguous(tensor)) return {count == 0 ? storage_.data() : first, count * element};
    return gather(tensor, first, count, element);
  }

 private:
  struct entry {
    tensor_description description;
    pickled_tensor pickled;
  };

  [[noreturn]] void fail(const std::string& what) const { throw checkpoint_error(path_.string() + ": " + what); }
  [[noreturn]] void fail_tensor(const std::string& tensor, const std::string& what) const {
    fail("tensor '" + tensor + "' " + what);
  }

  const entry& find(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail_tensor(name, "is missing");
    return found->second;
  }

  /// Notes the size of each entry, and the directory that they lie in.
  void find_entries() {
    constexpr std::string_view pickle = "data.pkl";
    const auto count = zip_get_num_entries(archive_.get(), 0);
    for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(std::max<zip_int64_t>(0, count)); ++i) {
      zip_stat_t status;
      zip_stat_init(&status);
      if (zip_stat_index(archive_.get(), i, ZIP_FL_ENC_RAW, &status) != 0 || (status.valid & ZIP_STAT_NAME) == 0)
        fail("entry " + std::to_string(i) + " of the archive cannot be read");
      const std::string name = status.name;
      if (!indices_.emplace(name, i).second) fail("entry '" + name + "' is there twice");
      const auto slash = name.find('/');
      if (slash != std::string::npos && name.substr(slash + 1) == pickle) {
        if (!prefix_.empty()) fail("holds more than one pickle: '" + prefix_ + "data.pkl' and '" + name + "'");
        prefix_ = name.substr(0, slash + 1);
      }
    }
    if (prefix_.empty()) fail("holds no pickle NAME/data.pkl, as PyTorch's checkpoints do");
  }

  void check_byte_order() {
    if (!indices_.contains(prefix_ + "byteorder")) return;
    const auto bytes = read_entry(prefix_ + "byteorder");
    const std::string order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (order != "little") fail("has the byte order '" + order.substr(0, 16) + "'; only 'little' is supported");
  }

  /// A whole entry. Its size is at most that of the file, and the archive's check sum is verified.
  std::vector<std::byte> read_entry(const std::string& name) {
    const auto found = indices_.find(name);
    if (found == indices_.end()) fail("entry '" + name + "' is missing");
    zip_stat_t status;
    zip_stat_init(&status);
    constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(archive_.get(), found->second, 0, &status) != 0 || (status.valid & needed) != needed)
      fail("entry '" + name + "' cannot be read");
    if (status.comp_method != ZIP_CM_STORE)
      fail("entry '" + name + "' is compressed, which PyTorch's checkpoints never are");
    if (status.size > file_bytes_)
      fail("entry '" + name + "' should have " + std::to_string(status.size) + " bytes, more than the whole file");
    const std::unique_ptr<zip_file_t, close_entry> stream(zip_fopen_index(archive_.get(), found->second, 0));
    if (!stream) fail("entry '" + name + "' cannot be read: " + zip_strerror(archive_.get()));
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.size));
    std::size_t done = 0;
    // One read more than the bytes need: at the end of the data the check sum is compared.
    for (;;) {
      std::byte beyond;
      const bool complete = done == bytes.size();
      const auto count = zip_fread(stream.get(), complete ? &beyond : bytes.data() + done,
                                   complete ? 1 : static_cast<zip_uint64_t>(bytes.size() - done));
      if (count < 0) fail("entry '" + name + "' is corrupt: " + zip_error_strerror(zip_file_get_error(stream.get())));
      if (complete != (count == 0)) fail("entry '" + name + "' has another size than the archive says");
      if (complete) return bytes;
      done += static_cast<std::size_t>(count);
    }
  }

  /// Checks that the view lies inside its storage.
  entry describe_pickled(const std::string& name, pickled_tensor tensor) const {
    const auto* type = std::find_if(std::begin(storage_types), std::end(storage_types),
                                    [&](const storage_type& known) { return known.name == tensor.storage_type; });
    if (type == std::end(storage_types)) fail_tensor(name, "has the unknown type torch." + tensor.storage_type);
    const auto count = *element_count(tensor.shape);
    std::int64_t last = tensor.offset;                     // index of the last element
    constexpr std::int64_t most_elements = INT64_MAX / 8;  // so that their bytes fit 63 bits
    bool fits = count <= tensor.storage_elements && tensor.storage_elements <= most_elements;
    for (std::size_t i = 0; i < tensor.shape.size() && fits && count > 0; ++i) {
      std::int64_t reach = 0;
      fits = !__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
    }
    if (!fits || (count > 0 && last >= tensor.storage_elements))
      fail_tensor(name, "of shape " + shape_text(tensor.shape) + " and strides " + shape_text(tensor.strides) +
                            " does not lie inside its storage of " + std::to_string(tensor.storage_elements) +
                            " elements");
    return {{tensor.shape, "torch." + tensor.storage_type, type->type}, std::move(tensor)};
  }

  static bool is_contiguous(const pickled_tensor& tensor) {
    std::int64_t expected = 1;
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
      if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
      expected *= tensor.shape[i];
    }
    return true;
  }

  /// The elements of a strided view, contiguous.
  std::span<const std::byte> gather(const pickled_tensor& tensor, const std::byte* first, std::size_t count,
                                    std::size_t element) {
    gathered_.resize(count * element);
    std::vector<std::int64_t> index(tensor.shape.size(), 0);
    std::int64_t place = 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::copy_n(first + static_cast<std::size_t>(place) * element, element, gathered_.data() + i * element);
      for (std::size_t d = index.size(); d-- > 0;) {
        place += tensor.strides[d];
        if (++index[d] < tensor.shape[d]) break;
        place -= tensor.strides[d] * tensor.shape[d];
        index[d] = 0;
      }
    }
    return gathered_;
  }

  std::filesystem::path path_;
  std::size_t file_bytes_ = 0;
  std::unique_ptr<zip_t, close_archive> archive_;
  std::map<std::string, zip_uint64_t> indices_;
  std::string prefix_;
  std::map<std::string, entry> tensors_;
  std::string loaded_key_;  // whose bytes `storage_` holds: tensors may share a storage
  std::vector<std::byte> storage_, gathered_;
};

}  // namespace

std::unique_ptr<tensor_source> open_torch_archive(const std::filesystem::path& file) {
  return errors_as<checkpoint_error>([&] { return std::make_unique<torch_archive>(file); });
}

}  // namespace compress_opt
