// options.hpp: what compress_opt can be asked for, and how the command line says it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <miq/allocation/bit_budget.hpp>
#include <miq/quantization/affine_grid.hpp>
#include <miq/quantization/grid_set.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compress_opt/checkpoint/save_format.hpp"
#include "compress_opt/errors.hpp"
#include "compress_opt/model/model.hpp"

namespace compress_opt {

/// What is compared: the model as it is; SparseGPT's joint variant; per-channel bits; groups from mutual information.
enum class method { dense, sparsegpt, enhanced, mi };

std::string_view name_of(method which);

/// How mi estimates mutual information, brings it to a common scale, and groups channels by it. (Names of their own:
/// the headers of all estimators are too much for every file that reads an option.)
enum class estimator { correlation, rank, histogram, knn, kde };
enum class normalisation { information_coefficient, none, arithmetic, geometric, minimum, maximum };
enum class grouping { spectral, hierarchical, kmeans };
enum class linkage { average, complete, single, ward };

std::string_view name_of(estimator which);
std::string_view name_of(normalisation which);
std::string_view name_of(grouping which);
std::string_view name_of(linkage which);

/// A text to evaluate on.
struct named_text {
  std::string name;
  std::filesystem::path file;
};

/// One field for each option of the command line, named after it, with its default.
struct options {
  std::filesystem::path model;  ///< empty: the embedded model
  std::vector<method> methods = {method::dense, method::sparsegpt, method::enhanced, method::mi};

  // Texts
  std::filesystem::path calibration;  ///< empty: the embedded text, with the embedded model only
  std::int64_t nsamples = 64;         ///< calibration windows
  std::int64_t seqlen = 0;            ///< tokens of a window; 0: the model's context
  std::vector<named_text> eval;       ///< empty: the embedded text, with the embedded model only
  std::int64_t eval_windows = 160;    ///< at most this many windows of each text; 0: all
  bool no_eval = false;

  // Compression
  double sparsity = 0.5;
  int wbits = 4;                          ///< 1 to 8, or 16: prune only
  std::optional<double> target_avg_bits;  ///< unset: `wbits`
  double percdamp = 0.01;
  compress_opt::estimator estimator = compress_opt::estimator::correlation;
  std::int64_t mi_tokens = 2048;  ///< tokens that an estimator other than correlation sees, drawn uniformly
  compress_opt::normalisation normalisation = compress_opt::normalisation::information_coefficient;
  compress_opt::grouping grouping = compress_opt::grouping::spectral;
  compress_opt::linkage linkage = compress_opt::linkage::average;  ///< of hierarchical groups
  int n_groups = 8;                                                ///< 0: chosen for each input ("auto")
  bool balanced = false;                                           ///< groups of equal size
  miq::allocation::strategy allocation = miq::allocation::strategy::greedy_budget;
  miq::quantization::grid_layout layout = miq::quantization::grid_layout::per_column;
  /// How scales are stored. Not on the command line: it is there to compare with programs that keep them in float.
  miq::quantization::scale_format scales = miq::quantization::scale_format::float16;

  // Which matrices
  std::int64_t minlayer = 0;
  std::optional<std::int64_t> maxlayer;  ///< unset: all
  std::string prune_only;
  bool invert = false;

  // Results
  std::filesystem::path save;  ///< empty: not saved
  compress_opt::save_format save_format = compress_opt::save_format::huggingface;
  std::filesystem::path report;  ///< empty: no report
  std::int64_t pictures = 4;     ///< layers that get pictures

  std::uint64_t seed = 0;
  int threads = 0;  ///< 0: one per core

  bool quantises() const { return wbits <= 8; }
  double average_bits() const { return target_avg_bits.value_or(wbits); }
  bool has(method which) const;
  /// Whether a matrix, by its layer and its name in it (`self_attn.q_proj`), is compressed.
  bool selects(std::int64_t layer, std::string_view name) const;
  /// Where a method's model is saved: DIR itself for a single method, DIR/METHOD for several.
  std::filesystem::path save_directory(method which) const;
};

/// Ranges and contradictions that can be seen without reading a file.
/// @throws option_error naming the option
void check_options(const options& chosen);

/// What the command line asks for: options, or a text to print (help or version).
struct command_line {
  options chosen;
  std::string text;  ///< not empty: print it and stop
};

/// @throws option_error naming the option that is unknown, out of range, has no effect or contradicts another
command_line parse_command_line(int argc, const char* const* argv);

/// The folder `data` with the embedded model and texts: where the sources lie, or else beside the program.
/// @throws input_error if it is in neither place
std::filesystem::path data_directory();

/// Fills in the embedded model and texts where nothing is named. @throws option_error if a text is missing that another
/// model needs; input_error if the embedded ones are not there
options with_defaults(options chosen);

}  // namespace compress_opt
