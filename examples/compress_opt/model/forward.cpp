#include "compress_opt/model/forward.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/text.hpp"
#include "compress_opt/model/kernels.hpp"

namespace compress_opt {

namespace {

constexpr std::int64_t position_offset = 2;  // OPT's table of positions begins with two rows that are never used

/// Windows of one batch.
std::int64_t windows_together(std::int64_t context, std::int64_t tokens_per_batch) {
  return std::max<std::int64_t>(1, tokens_per_batch / context);
}

/// Calls `body(first row, rows)` for batches of whole windows.
template <class Body>
void for_batches(std::int64_t windows, std::int64_t context, std::int64_t tokens_per_batch, Body body) {
  const std::int64_t together = windows_together(context, tokens_per_batch);
  for (std::int64_t window = 0; window < windows; window += together)
    body(window * context, std::min(together, windows - window) * context);
}

void check(const char* function, const hidden_states& hidden, const opt_config& config) {
  examples::require(hidden.context >= 1 && hidden.values.rows() == hidden.windows * hidden.context &&
                        hidden.values.columns() == config.hidden,
                    function, ": hidden must be ", examples::shape_text(hidden.windows * hidden.context, config.hidden),
                    ", got ", examples::shape_text(hidden.values.rows(), hidden.values.columns()));
}

void check_whole(const char* function, const token_windows& windows) {
  examples::require(static_cast<std::int64_t>(windows.ids.size()) == windows.count() * windows.context, function,
                    ": windows must be whole, got ", windows.ids.size(), " tokens for windows of ", windows.context);
}

}  // namespace

forward_pass::forward_pass(const miq::host_executor& exec, const opt_model& model, const forward_options& options)
    : exec_(exec), model_(model), options_(options) {
  examples::require(options.tokens_per_batch >= 1, "forward_pass: tokens_per_batch must be at least 1, got ",
                    options.tokens_per_batch);
}

void forward_pass::reserve(std::int64_t tokens) {
  const auto& config = model_.config;
  if (normed_.rows() >= tokens) return;
  for (auto* scratch : {&normed_, &query_, &key_, &value_, &mixed_})
    *scratch = miq::matrix<float>(tokens, config.hidden);
  inner_ = miq::matrix<float>(tokens, config.feed_forward);
}

hidden_states forward_pass::embed(const token_windows& windows) {
  const auto& config = model_.config;
  examples::require(windows.context >= 1 && windows.context <= config.context, "embed: windows must have 1 to ",
                    config.context, " tokens, the context of the model, got ", windows.context);
  check_whole("embed", windows);
  for (std::size_t i = 0; i < windows.ids.size(); ++i)
    examples::require(windows.ids[i] >= 0 && windows.ids[i] < config.vocabulary, "embed: token ", i, " has id ",
                      windows.ids[i], ", outside the model's vocabulary of ", config.vocabulary);

  hidden_states hidden{miq::matrix<float>(static_cast<std::int64_t>(windows.ids.size()), config.hidden),
                       windows.count(), windows.context};
  const auto token_row = [&](std::int64_t r) {
    return &model_.embed_tokens(windows.ids[static_cast<std::size_t>(r)], 0);
  };
  const auto position_row = [&](std::int64_t r) {
    return &model_.embed_positions(r % windows.context + position_offset, 0);
  };
  if (!config.has_projections()) {
    for (std::int64_t r = 0; r < hidden.values.rows(); ++r)
      std::transform(token_row(r), token_row(r) + config.hidden, position_row(r), &hidden.values(r, 0), std::plus<>());
    return hidden;
  }
  for_batches(hidden.windows, hidden.context, options_.tokens_per_batch, [&](std::int64_t first, std::int64_t rows) {
    miq::matrix<float> tokens(rows, config.embedding);
    for (std::int64_t r = 0; r < rows; ++r) {
      std::copy_n(token_row(first + r), config.embedding, &tokens(r, 0));
      std::copy_n(position_row(first + r), config.hidden, &hidden.values(first + r, 0));
    }
    const auto out = hidden.values.view().rows_from(first, rows);
    multiply(exec_, tokens, model_.project_in, out, {.residual = out});
  });
  return hidden;
}

void forward_pass::run_batch(const decoder_layer& layer, miq::matrix_view<const float> input,
                             miq::matrix_view<float> output, std::int64_t context, const layer_observer* observer,
                             layer_input last_observed) {
  const auto& config = model_.config;
  const std::int64_t tokens = input.rows();
  reserve(tokens);
  const auto first_rows = [tokens](miq::matrix<float>& m) { return m.view().rows_from(0, tokens); };
  const auto normed = first_rows(normed_), query = first_rows(query_), key = first_rows(key_),
             value = first_rows(value_), mixed = first_rows(mixed_), inner = first_rows(inner_);
  /// Whether that was all.
  const auto show = [&](layer_input which, miq::matrix_view<const float> x) {
    if (observer != nullptr) (*observer)(which, x);
    return observer != nullptr && which == last_observed;
  };

  miq::matrix_view<const float> attention_input = input;
  if (config.layer_norm_before) {
    normalise(exec_, layer.self_attn_layer_norm, input, normed);
    attention_input = normed;
  }
  if (show(layer_input::attention, attention_input)) return;
  const auto& projections = layer.self_attn;
  const float scale = 1 / std::sqrt(static_cast<float>(config.head_size()));
  multiply(exec_, attention_input, projections.q_proj.weight, query, {.bias = projections.q_proj.bias, .scale = scale});
  multiply(exec_, attention_input, projections.k_proj.weight, key, {.bias = projections.k_proj.bias});
  multiply(exec_, attention_input, projections.v_proj.weight, value, {.bias = projections.v_proj.bias});
  attend(exec_, query, key, value, config.heads, context, mixed);
  if (show(layer_input::out_proj, mixed)) return;

  const auto middle = query;  // the residual stream between the two blocks; the queries are no longer needed
  multiply(exec_, mixed, projections.out_proj.weight, middle, {.bias = projections.out_proj.bias, .residual = input});
  miq::matrix_view<const float> feed_forward_input = middle;
  if (config.layer_norm_before) {
    normalise(exec_, layer.final_layer_norm, middle, normed);
    feed_forward_input = normed;
  } else {
    normalise(exec_, layer.self_attn_layer_norm, middle, middle);
  }
  if (show(layer_input::fc1, feed_forward_input)) return;
  multiply(exec_, feed_forward_input, layer.fc1.weight, inner,
           {.bias = layer.fc1.bias, .apply_activation = true, .function = config.feed_forward_activation});
  if (show(layer_input::fc2, inner)) return;

  multiply(exec_, inner, layer.fc2.weight, output, {.bias = layer.fc2.bias, .residual = middle});
  if (!config.layer_norm_before) normalise(exec_, layer.final_layer_norm, output, output);
}

void forward_pass::run_layer(std::int64_t index, hidden_states& hidden) {
  check("run_layer", hidden, model_.config);
  const auto& layer = model_.layers.at(static_cast<std::size_t>(index));
  for_batches(hidden.windows, hidden.context, options_.tokens_per_batch, [&](std::int64_t first, std::int64_t rows) {
    const auto batch = hidden.values.view().rows_from(first, rows);
    run_batch(layer, batch, batch, hidden.context, nullptr);
  });
}

void forward_pass::observe_layer(std::int64_t index, const hidden_states& hidden, const layer_observer& observer) {
  check("observe_layer", hidden, model_.config);
  const auto& layer = model_.layers.at(static_cast<std::size_t>(index));
  for_batches(hidden.windows, hidden.context, options_.tokens_per_batch, [&](std::int64_t first, std::int64_t rows) {
    run_batch(layer, hidden.values.view().rows_from(first, rows), {}, hidden.context, &observer);
  });
}

std::int64_t forward_pass::batches(const hidden_states& hidden) const {
  const auto together = windows_together(hidden.context, options_.tokens_per_batch);
  return (hidden.windows + together - 1) / together;
}

miq::matrix_view<const float> forward_pass::input_of(std::int64_t index, layer_input which, const hidden_states& hidden,
                                                     std::int64_t batch) {
  check("input_of", hidden, model_.config);
  examples::require(batch >= 0 && batch < batches(hidden), "input_of: batch must be 0 to ", batches(hidden) - 1,
                    ", got ", batch);
  const auto together = windows_together(hidden.context, options_.tokens_per_batch);
  const auto first = batch * together;
  const auto rows = std::min(together, hidden.windows - first) * hidden.context;
  miq::matrix_view<const float> seen;
  const layer_observer keep = [&](layer_input input, miq::matrix_view<const float> x) {
    if (input == which) seen = x;
  };
  run_batch(model_.layers.at(static_cast<std::size_t>(index)),
            hidden.values.view().rows_from(first * hidden.context, rows), {}, hidden.context, &keep, which);
  return seen;
}

/// What the head multiplies: the last hidden states after the final layer norm and projection.
miq::matrix<float> forward_pass::last_states(miq::matrix_view<const float> hidden) {
  const auto& config = model_.config;
  miq::matrix<float> states(hidden);
  if (config.has_final_layer_norm) normalise(exec_, model_.final_layer_norm, states, states);
  if (!config.has_projections()) return states;
  miq::matrix<float> projected(hidden.rows(), config.embedding);
  multiply(exec_, states, model_.project_out, projected);
  return projected;
}

std::vector<double> forward_pass::losses(const hidden_states& hidden, const token_windows& windows) {
  check("losses", hidden, model_.config);
  examples::require(windows.count() == hidden.windows && windows.context == hidden.context, "losses: windows must be ",
                    hidden.windows, " of ", hidden.context, " tokens, got ", windows.count(), " of ", windows.context);
  examples::require(hidden.context >= 2, "losses: windows must have at least 2 tokens, got ", hidden.context);
  std::vector<double> means;
  means.reserve(static_cast<std::size_t>(hidden.windows));
  for_batches(hidden.windows, hidden.context, options_.tokens_per_batch, [&](std::int64_t first, std::int64_t rows) {
    const auto states = last_states(hidden.values.view().rows_from(first, rows));
    std::vector<std::int32_t> targets(static_cast<std::size_t>(rows), -1);
    for (std::int64_t r = 0; r < rows; ++r)
      if ((first + r) % hidden.context != hidden.context - 1)
        targets[static_cast<std::size_t>(r)] = windows.ids[static_cast<std::size_t>(first + r + 1)];
    std::vector<double> each(static_cast<std::size_t>(rows));
    negative_log_likelihoods(exec_, states, model_.head(), targets, each);
    for (std::int64_t r = 0; r < rows; r += hidden.context)
      means.push_back(std::accumulate(each.begin() + r, each.begin() + r + hidden.context, 0.0) /
                      static_cast<double>(hidden.context - 1));
  });
  return means;
}

evaluation forward_pass::evaluate(const token_windows& windows, const miq::progress_callback& progress) {
  check_whole("evaluate", windows);
  examples::require(windows.count() >= 1, "evaluate: windows must hold at least one window");
  evaluation result;
  const auto layers = static_cast<std::int64_t>(model_.layers.size());
  for_batches(windows.count(), windows.context, options_.tokens_per_batch, [&](std::int64_t first, std::int64_t rows) {
    const token_windows batch{{windows.ids.begin() + first, windows.ids.begin() + first + rows}, windows.context};
    auto hidden = embed(batch);
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      run_layer(layer, hidden);
      const double done = static_cast<double>(first) +
                          static_cast<double>(rows) * static_cast<double>(layer + 1) / static_cast<double>(layers + 1);
      miq::report_progress(progress, "evaluate", done / static_cast<double>(windows.ids.size()));
    }
    const auto part = losses(hidden, batch);
    result.losses.insert(result.losses.end(), part.begin(), part.end());
  });
  miq::report_progress(progress, "evaluate", 1);
  result.perplexity = std::exp(std::accumulate(result.losses.begin(), result.losses.end(), 0.0) /
                               static_cast<double>(result.losses.size()));
  return result;
}

miq::matrix<float> forward_pass::logits(std::span<const std::int32_t> ids) {
  auto hidden = embed({{ids.begin(), ids.end()}, static_cast<std::int64_t>(ids.size())});
  for (std::int64_t layer = 0; layer < static_cast<std::int64_t>(model_.layers.size()); ++layer)
    run_layer(layer, hidden);
  const auto states = last_states(hidden.values);
  miq::matrix<float> result(states.rows(), model_.config.vocabulary);
  multiply(exec_, states, model_.head(), result);
  return result;
}

}  // namespace compress_opt
