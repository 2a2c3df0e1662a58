// checkpoint/pickle.hpp: the one kind of Python pickle that a checkpoint is: a state dictionary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace compress_opt {

/// A tensor as PyTorch pickles it: a strided view of a storage that lies elsewhere in the archive.
struct pickled_tensor {
  std::string storage_type;           ///< `FloatStorage`, `HalfStorage`, ...
  std::string storage_key;            ///< the name of the archive's entry under `data/`: digits, letters, `_`, `-`
  std::int64_t storage_elements = 0;  ///< as the pickle says
  std::int64_t offset = 0;            ///< of the first element, in elements
  std::vector<std::int64_t> shape;    ///< extents, none negative; the number of elements fits 64 bits
  std::vector<std::int64_t> strides;  ///< in elements, as many as `shape`, none negative
};

/// Reads a pickle whose value is a dictionary (plain or ordered) from strings to tensors or parameters, as
/// `torch.save(model.state_dict())` writes it in protocols 2 to 5.
///
/// A pickle is a program for a stack machine that may call any function of Python. This reader knows the opcodes that
/// such a dictionary needs, calls nothing, and accepts the names `collections.OrderedDict`,
/// `torch._utils._rebuild_tensor_v2`, `torch._utils._rebuild_parameter` and the classes of storages; it refuses
/// everything else. Memory is bounded by about a hundred times the pickle's size; nothing recurses.
///
/// @param source  the file, for errors
/// @throws checkpoint_error naming source, offset and the opcode or name that is refused, or the tensor
std::map<std::string, pickled_tensor> read_state_dictionary(std::span<const std::byte> pickle,
                                                            const std::string& source);

}  // namespace compress_opt
