// checkpoint/tensor_source.hpp: a file that holds named tensors, whatever its format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compress_opt/model/config.hpp"

namespace compress_opt {

struct tensor_description {
  std::vector<std::int64_t> shape;   ///< extents, none negative; the number of elements fits 64 bits
  std::string type_name;             ///< as the file calls it
  std::optional<element_type> type;  ///< unset: a type that weights cannot have, e.g. integers
};

/// Not safe for use by several threads at once.
class tensor_source {
 public:
  virtual ~tensor_source() = default;

  virtual const std::filesystem::path& file() const = 0;
  virtual std::vector<std::string> names() const = 0;

  /// @throws checkpoint_error if there is no such tensor
  virtual const tensor_description& describe(const std::string& name) const = 0;

  /// The elements of a tensor whose `type` is set, row-major and without gaps, little endian, of any alignment; valid
  /// until the next call. @throws checkpoint_error if the file is corrupt there
  virtual std::span<const std::byte> read(const std::string& name) = 0;
};

/// Opens a safetensors file: maps it into memory and checks its header.
std::unique_ptr<tensor_source> open_safetensors(const std::filesystem::path& file);

/// Opens a file written by PyTorch's `torch.save` since version 1.6: a zip archive with one pickle and the tensors'
/// storages. Nothing that the pickle says is executed; see `read_state_dictionary`.
std::unique_ptr<tensor_source> open_torch_archive(const std::filesystem::path& file);

/// Product of the extents, or nothing if it does not fit 63 bits or an extent is negative.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape);

/// `[2, 3]`, as errors print shapes.
std::string shape_text(std::span<const std::int64_t> shape);

/// 4 or 2.
std::int64_t bytes_of(element_type type);

}  // namespace compress_opt
