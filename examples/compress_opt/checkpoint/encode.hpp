// checkpoint/encode.hpp: compressed matrices as the tensors of each format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>

#include "compress_opt/checkpoint/save_format.hpp"

namespace compress_opt {

/// What a compressed matrix is stored as.
struct stored_matrix {
  miq::matrix<std::uint8_t> codes;  ///< [rows, columns]; empty: pruned only
  miq::matrix<std::uint8_t> kept;   ///< [rows, columns]; 0 where a weight is masked
  miq::quantization::grid_set grids;
  std::vector<std::int32_t> labels;  ///< [columns], the group of each column
  std::int64_t groups = 1;
};

/// The compressed matrices of a model, by layer and name: `3.self_attn.q_proj`.
using stored_matrices = std::map<std::string, stored_matrix>;

/// The traits of a matrix that is there.
matrix_traits traits_of(const stored_matrix& matrix);

/// A tensor as its bytes.
struct encoded_tensor {
  std::string name;  ///< behind the matrix's own: `.qweight`
  std::string type;  ///< as safetensors calls it: `I32`
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

/// How many columns a group of scales has in a GPTQ checkpoint of these matrices: the largest of 1024, 512, ..., 32
/// that divides the sizes of all groups (a group of more columns repeats its scales), or -1 if all have one group.
/// @throws option_error if there is none
std::int64_t gptq_group_size(const stored_matrices& matrices);

/// The tensors of a matrix in the GPTQ format, version 1 (zero points less 1) if its grid is symmetric, else 2.
std::vector<encoded_tensor> gptq_tensors(const miq::host_executor& exec, const stored_matrix& matrix,
                                         std::int64_t group_size);

/// What `config.json` says in `quantization_config`, and `quantize_config.json` as a whole.
nlohmann::json gptq_config(const stored_matrices& matrices);

/// The tensors of a matrix in compressed-tensors' `pack-quantized` format.
std::vector<encoded_tensor> compressed_tensors_tensors(const miq::host_executor& exec, const stored_matrix& matrix);

/// What `config.json` says in `quantization_config`.
/// @param dense  modules of `Linear` that are not quantised
nlohmann::json compressed_tensors_config(const stored_matrices& matrices, const std::vector<std::string>& dense);

/// A matrix as one tensor of miq's packed layer (`miq/quantization/packed_layer.hpp`).
/// @param weights  used where nothing is quantised: rounded to half precision
std::vector<encoded_tensor> miq_tensors(const miq::host_executor& exec, const stored_matrix& matrix,
                                        const miq::matrix<float>& weights);

}  // namespace compress_opt
