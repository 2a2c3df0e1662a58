// pipeline/compression.hpp: runs the chosen methods over a model, layer by layer, and judges them by perplexity.
#pragma once

#include <cstdint>
#include <functional>
#include <miq/compress.hpp>
#include <span>
#include <string_view>

#include "compress_opt/options.hpp"
#include "compress_opt/report/run_report.hpp"

namespace compress_opt {

/// Where a run is.
struct run_state {
  std::string_view method;  ///< empty while files are read
  std::string_view phase;   ///< `load`, `forward`, `factor`, `sweep`, `evaluate`, `save` ...
  std::int64_t layer = 0;   ///< counted from 1; 0 outside of layers
  std::int64_t layers = 0;
  double fraction = 0;  ///< of the whole run, 0 to 1, never falling; an estimate by the operations that remain
};

/// One input of a layer, when the matrices that it feeds are compressed.
struct grouped_input {
  method which = method::dense;
  std::int64_t layer = 0;
  std::int64_t layers = 0;
  layer_input input = layer_input::attention;
  const miq::prepared_inputs& shared;
  std::span<const matrix_entry> matrices;  ///< as they will stand in the report
};

/// What a run tells while it works; any may be empty. All are called on the thread that runs.
struct run_hooks {
  /// Called often. Returning false ends the run with `miq::cancelled`.
  std::function<bool(const run_state&)> progress;
  /// Called for each input of each layer and each method but `dense`. What it refers to is valid during the call.
  std::function<void(const grouped_input&)> grouped;
};

/// The library's options for a method.
miq::compress_options options_of(method which, const options& chosen);

/// Loads the model and the texts, and for each method, on a copy of the model: compresses layer after layer, each
/// calibrated on inputs that passed the compressed layers before it; saves it if asked; evaluates it on every text.
///
/// Files, options and targets are checked before the work begins. Memory: two models in float, the hidden states of the
/// calibration windows, and the statistics of one layer's inputs (about `8 c^2` bytes each for c columns, and what
/// `miq::prepare` needs for one at a time). Results are the same to the bit for every number of threads.
///
/// @throws option_error, input_error and its kinds, miq::error (with method, layer and matrix), miq::cancelled
run_report run_compression(const options& chosen, const run_hooks& hooks = {});

}  // namespace compress_opt
