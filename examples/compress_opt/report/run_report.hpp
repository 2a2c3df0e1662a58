// report/run_report.hpp: everything that a run of compress_opt found out, as plain data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <miq/compress.hpp>
#include <string>
#include <vector>

#include "compress_opt/model/config.hpp"
#include "compress_opt/options.hpp"

namespace compress_opt {

/// Seconds of wall time of one method.
struct phase_times {
  double forward = 0;      ///< embeddings and layers over the calibration windows
  double gram = 0;         ///< calibration statistics
  double solve = 0;        ///< Hessian and its factor, pruning sweep, grids, sweep
  double information = 0;  ///< mutual information and affinities
  double grouping = 0;
  double allocation = 0;
  double evaluate = 0;

  /// Without the evaluation.
  double compression() const { return forward + gram + solve + information + grouping + allocation; }
};

/// One of the four distinct inputs of a decoder layer, where it was grouped.
struct input_entry {
  std::string name;  ///< `3.attention`
  std::vector<std::int64_t> group_sizes;
  std::vector<int> candidate_groups;  ///< numbers of groups tried, where it was chosen
  std::vector<double> silhouettes;    ///< the score of each
  double mean_mi = 0;                 ///< over all pairs, nats
  std::int64_t tokens = 0;            ///< tokens that the estimator saw
  std::int64_t clamped = 0;           ///< pairs whose correlation was beyond the estimator's limit
  std::int64_t negative = 0;          ///< pairs with a negative estimate, which counted as 0 for the groups
  std::int64_t constant = 0;          ///< columns without variance
  std::int64_t isolated = 0;          ///< columns without affinity to any other
};

/// One compressed matrix.
struct matrix_entry {
  std::string name;   ///< `3.self_attn.q_proj`
  std::string input;  ///< `3.attention`
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  miq::layer_report report;
};

/// The mean loss per token of a model on a text, as perplexity.
struct text_result {
  std::string name;
  double perplexity = 0;
};

struct method_report {
  method which = method::dense;
  std::vector<text_result> texts;
  miq::quantization::storage_report storage;  ///< of all selected matrices; the dense ones count 16 bits per weight
  double budget_bits = 0;                     ///< what all selected matrices might store; 0 where there is no budget
  double seconds = 0;                         ///< of compression, without evaluation and saving
  std::int64_t peak_bytes = 0;
  phase_times phases;
  std::vector<input_entry> inputs;
  std::vector<matrix_entry> matrices;
  std::filesystem::path saved;  ///< empty: not saved
};

/// A text and what was used of it.
struct text_use {
  std::string name;
  std::filesystem::path file;
  std::int64_t tokens = 0;
  std::int64_t windows = 0;
};

struct run_report {
  options chosen;  ///< with defaults filled in
  opt_config config;
  std::string version;
  std::string instruction_set;
  int threads = 0;
  std::int64_t context = 0;         ///< tokens of a window
  std::int64_t selected = 0;        ///< matrices that are compressed
  bool peak_is_per_method = false;  ///< otherwise the process's highest so far
  std::vector<text_use> texts;      ///< evaluation
  text_use calibration;             ///< `windows` is 0 if nothing was calibrated
  std::vector<method_report> methods;
  std::vector<std::filesystem::path> pictures;  ///< file names in the report folder
};

}  // namespace compress_opt
