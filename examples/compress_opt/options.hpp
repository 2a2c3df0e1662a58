// options.hpp: what compress_opt can be asked for, and how the command line says it.
#pragma once

#include <cstdint>
#include <filesystem>
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
/// The last three have the sizes of spectral groups, but other members, chosen without mutual information: controls.
enum class grouping { spectral, hierarchical, kmeans, random, contiguous, hessian, cost };
enum class linkage { average, complete, single, ward };

/// How enhanced and mi share out bits. `enhanced`, in which every channel is a group, takes `greedy` for
/// `rate_distortion`.
enum class bits_by { rate_distortion, greedy, threshold, quantile };

/// How mi finds its masks, the order in which it takes columns, and its criterion.
enum class masks_by { search, sweep, selection };
enum class order { natural, descending, by_group, representatives };
enum class saliency { obs, wanda, magnitude };

/// Where layers are compressed. Forward passes are the host's.
enum class device { cpu, cuda };

std::string_view name_of(estimator which);
std::string_view name_of(normalisation which);
std::string_view name_of(grouping which);
std::string_view name_of(linkage which);
std::string_view name_of(bits_by which);
std::string_view name_of(masks_by which);
std::string_view name_of(saliency which);
std::string_view name_of(order which);
std::string_view name_of(device which);
std::string_view name_of(miq::quantization::grid_layout which);
std::string_view name_of(miq::quantization::grid_symmetry which);
std::string_view name_of(miq::quantization::scale_format which);

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
  bool random_windows = false;        ///< where they start is drawn with `seed`, instead of spread evenly
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
  bool split = true;  ///< groups may be divided in cheap and dear channels; never a single group, which has one width
  bits_by allocation = bits_by::rate_distortion;
  miq::quantization::grid_layout layout = miq::quantization::grid_layout::row_by_column;
  miq::quantization::grid_symmetry grid = miq::quantization::grid_symmetry::zero_free;
  std::optional<miq::quantization::scale_format> scales;  ///< unset: `mi` logarithmic8, the others float16
  double target_strength = 1;                             ///< of mi; 0: each layer aims at its own outputs only
  bool sequential = true;        ///< mi: each input of a layer is seen with what stands before it compressed
  bool bias_correction = false;  ///< mi: mean outputs are kept by the biases
  masks_by mask_method = masks_by::search;
  compress_opt::saliency saliency = compress_opt::saliency::obs;
  compress_opt::order order = compress_opt::order::natural;
  int refit = 3;                  ///< iterations; -1: none
  std::int64_t pattern_kept = 0;  ///< N of N:M masks, for all methods; 0: unstructured
  std::int64_t pattern_width = 0;

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
  device on_device = device::cpu;

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
