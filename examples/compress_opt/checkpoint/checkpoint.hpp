// checkpoint/checkpoint.hpp: reads an OPT model from a Hugging Face directory.
#pragma once

#include <filesystem>

#include <miq/core/executor.hpp>

#include "compress_opt/errors.hpp"
#include "compress_opt/model/model.hpp"

namespace compress_opt {

/// The architecture in `directory/config.json`. @throws checkpoint_error for an unreadable file, a model that is not
/// OPT, a value that is missing, of the wrong kind or out of range, an unknown activation function
opt_config read_config(const std::filesystem::path& directory);

/// Reads `config.json` and the weights from the first of these that exists: `model.safetensors`,
/// `model.safetensors.index.json` and its shards, `pytorch_model.bin`, `pytorch_model.bin.index.json` and its shards.
/// Tensors may be float32, float16 or bfloat16, and their names may begin with `model.decoder.`, `decoder.` or neither.
/// If the file holds an `lm_head.weight` that differs from the embeddings, the head is its own even if the
/// configuration ties them, as in transformers; the result's `config.tied_head` says how it ended. A matrix of a layer
/// may be one of miq's packed layers (`NAME.weight.miq`, see docs/formats.md), which is decoded.
///
/// The files are taken as hostile: each size and offset is checked before it is used, and memory is allocated only for
/// tensors that the file really holds. They must not be changed by others while they are read.
///
/// @throws checkpoint_error naming file and tensor if anything is missing, ambiguous (two names for one tensor),
///         of the wrong shape or type, truncated, corrupt or not finite
opt_model load_model(const miq::host_executor& exec, const std::filesystem::path& directory);

}  // namespace compress_opt
