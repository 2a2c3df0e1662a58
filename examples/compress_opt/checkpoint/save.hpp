// checkpoint/save.hpp: writes an OPT model as a directory that transformers loads, whole or not at all.
#pragma once

#include <filesystem>
#include <optional>

#include <miq/core/progress.hpp>

#include "compress_opt/checkpoint/encode.hpp"
#include "compress_opt/errors.hpp"
#include "compress_opt/model/model.hpp"

namespace compress_opt {

struct save_options {
  save_format format = save_format::huggingface;
  /// The matrices that were compressed, for every other format; the weights of the others are saved as they are.
  const stored_matrices* matrices = nullptr;
  /// How the weights are stored (in the formats `gptq` and `compressed_tensors` always in float16); unset: as in the
  /// file that the model came from. With float32 the saved model is exactly the one in memory; the 16-bit types round
  /// it.
  std::optional<element_type> type = element_type::float32;
  /// Called in the phase "save" after each tensor; returning false leaves no trace of the save.
  miq::progress_callback progress = {};
};

/// Checks, without writing, that `save_model` may write to `target`; call it before long work.
/// @throws checkpoint_error as `save_model` does
void check_save_target(const std::filesystem::path& source, const std::filesystem::path& target);

/// Writes `model.safetensors`, `config.json` (that of `source`, with the stored type and the tied head brought up to
/// date) and copies of the tokenizer's files of `source` (`vocab.json`, `merges.txt`, `tokenizer_config.json`,
/// `special_tokens_map.json`, `tokenizer.json`, `added_tokens.json`, `generation_config.json`, as far as they exist).
///
/// In other formats the compressed matrices are stored as docs/formats.md says, `config.json` names the format in
/// `quantization_config`, and for `gptq` there is a `quantize_config.json`.
///
/// All of it is written into a new directory `.NAME.partial-PROCESS-N` beside the target, flushed to the disk, and
/// renamed when complete. An error or a cancelled save removes that directory; a killed process may leave it, but never
/// a half-written target. The target's parent must exist. An existing target is
/// - replaced, in one step where the file system can exchange two directories, if it is empty or holds nothing but
///   what this function writes;
/// - an error otherwise, so that a mistyped path costs no data; so is the source itself.
///
/// @throws option_error if the format cannot hold a matrix, with the setting to change
/// @throws checkpoint_error naming the file and the system's reason (a full disk, a missing permission), or the tensor
///         that the 16-bit type cannot hold; miq::cancelled if `options.progress` says so
void save_model(const opt_model& model, const std::filesystem::path& source, const std::filesystem::path& target,
                const save_options& options = {});

}  // namespace compress_opt
