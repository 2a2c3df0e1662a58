// model/forward.hpp: runs an OPT model over windows of tokens, whole or layer by layer.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/matrix.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/core/progress.hpp>

#include "compress_opt/model/model.hpp"
#include "compress_opt/tokenizer/token_windows.hpp"

namespace compress_opt {

/// What enters or leaves a layer for many windows: one row per token, windows contiguous.
struct hidden_states {
  miq::matrix<float> values;  ///< [windows * context, hidden]
  std::int64_t windows = 0;
  std::int64_t context = 0;  ///< tokens of a window
};

/// Called with the inputs of one layer's linear maps, batch by batch (a few windows each): `x` is [tokens, columns],
/// valid during the call. For each batch the calls come in the order of `all_layer_inputs`, on the thread that runs
/// the layer, so that the observer may use the executor.
using layer_observer = std::function<void(layer_input input, miq::matrix_view<const float> x)>;

/// How much is worked on at once.
struct forward_options {
  /// Windows are taken together until they hold this many tokens (at least one window). Scratch memory is about
  /// `tokens_per_batch * (5 * hidden + feed_forward)` floats.
  std::int64_t tokens_per_batch = 4096;
};

/// What a model makes of a text.
struct evaluation {
  double perplexity = 0;       ///< exp of the mean of `losses`
  std::vector<double> losses;  ///< of each window: mean negative log likelihood of its tokens 1 to context - 1, in nats
};

/// Forward passes of one model in float. Keeps references to the executor and the model, and scratch memory from one
/// call to the next. Weights may change between calls: calibrating and compressing in order is
///
///     auto hidden = pass.embed(windows);
///     for (std::int64_t i = 0; i < model.config.layers; ++i) {
///       pass.observe_layer(i, hidden, observer);  // what the linear maps of layer i see
///       ...                                       // change model.layers[i]
///       pass.run_layer(i, hidden);                // in place: what layer i + 1 will see
///     }
///
/// Matrix products run in tiles on the executor's threads. Results do not depend on their number, to the bit; they do
/// depend, in the last bits, on the instruction set that the program was compiled for.
class forward_pass {
 public:
  forward_pass(const miq::host_executor& exec, const opt_model& model, const forward_options& options = {});

  /// Token and position embeddings of all windows: the input of layer 0.
  /// @throws miq::invalid_argument if a token is outside the vocabulary or windows are longer than the model's context
  hidden_states embed(const token_windows& windows);

  /// Replaces the input of layer `index` by its output.
  void run_layer(std::int64_t index, hidden_states& hidden);

  /// Shows the inputs of the layer's linear maps to `observer`; `hidden`, the layer's input, stays as it is. Does not
  /// compute the last product.
  void observe_layer(std::int64_t index, const hidden_states& hidden, const layer_observer& observer);

  /// How many batches `hidden` is taken in.
  std::int64_t batches(const hidden_states& hidden) const;

  /// What one input of the layer receives for the tokens of one batch, [tokens, columns]: computes the layer as far as
  /// that, with its weights as they are now. Valid until the next call of this pass.
  miq::matrix_view<const float> input_of(std::int64_t index, layer_input which, const hidden_states& hidden,
                                         std::int64_t batch);

  /// Mean negative log likelihood of tokens 1 to context - 1 of each window, given the output of the last layer.
  /// Logits exist only in tiles, at most a megabyte a thread. @throws miq::invalid_argument if a window has fewer than
  /// two tokens or the shapes do not match
  std::vector<double> losses(const hidden_states& hidden, const token_windows& windows);

  /// Runs all layers over all windows, a batch at a time, so that memory does not grow with the text.
  /// Progress is reported in the phase "evaluate". @throws miq::cancelled if `progress` says so
  evaluation evaluate(const token_windows& windows, const miq::progress_callback& progress = {});

  /// Logits [tokens, vocabulary] of one window.
  miq::matrix<float> logits(std::span<const std::int32_t> ids);

 private:
  const miq::host_executor& exec_;
  const opt_model& model_;
  forward_options options_;
  miq::matrix<float> normed_, query_, key_, value_, mixed_, inner_;  // scratch of one batch

  void reserve(std::int64_t tokens);
  void run_batch(const decoder_layer& layer, miq::matrix_view<const float> input, miq::matrix_view<float> output,
                 std::int64_t context, const layer_observer* observer, layer_input last_observed = layer_input::fc2);
  miq::matrix<float> last_states(miq::matrix_view<const float> hidden);
};

}  // namespace compress_opt
