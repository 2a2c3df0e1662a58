#include "compress_opt/pipeline/compression.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <miq/calibration/accumulator.hpp>
#include <miq/calibration/cross_moments.hpp>
#include <miq/core/version.hpp>

#include "common/stopwatch.hpp"
#include "common/text.hpp"
#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/checkpoint/save.hpp"
#include "compress_opt/model/forward.hpp"
#include "compress_opt/pipeline/control_groups.hpp"
#include "compress_opt/pipeline/layer_solver.hpp"
#include "compress_opt/pipeline/peak_memory.hpp"
#include "compress_opt/tokenizer/token_windows.hpp"

namespace compress_opt {

namespace {

class stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Calls `work` and adds its time to `seconds`.
template <class Function>
auto timed(double& seconds, Function&& work) {
  const examples::stopwatch timer(seconds);
  return work();
}

/// Adds where it happened to the message of an error of the library.
template <class Function>
auto with_place(const std::string& place, Function&& work) {
  try {
    return work();
  } catch (const miq::cancelled&) {
    throw;
  } catch (const miq::invalid_argument& failure) {
    throw miq::invalid_argument(place + ": " + failure.what());
  } catch (const miq::numerical_error& failure) {
    throw miq::numerical_error(place + ": " + failure.what());
  }
}

/// Turns finished work into a share of the whole run. Work is estimated in multiply-adds; what runs far from the speed
/// of a matrix product counts more.
class progress_meter {
 public:
  progress_meter(const run_hooks& hooks, std::int64_t layers) : hooks_(hooks), layers_(layers) {}

  void expect(double work) { total_ += work; }
  void enter(std::string_view method) { method_ = method; }
  void enter_layer(std::int64_t layer) { layer_ = layer; }

  /// Reports that `share` of the next `work` is done.
  void report(std::string_view phase, double work, double share) {
    if (!hooks_.progress) return;
    const double now = total_ > 0 ? std::clamp((done_ + work * std::clamp(share, 0.0, 1.0)) / total_, 0.0, 1.0) : 0;
    furthest_ = std::max(furthest_, now);
    if (!hooks_.progress({method_, phase, layer_, layers_, furthest_}))
      throw miq::cancelled(examples::join("cancelled in phase ", phase));
  }
  void complete(std::string_view phase, double work) {
    done_ += work;
    report(phase, 0, 0);
  }
  miq::progress_callback part(double work) {
    if (!hooks_.progress) return {};
    return [this, work](std::string_view phase, double share) {
      report(phase, work, share);
      return true;
    };
  }

 private:
  const run_hooks& hooks_;
  std::int64_t layers_;
  std::string_view method_;
  std::int64_t layer_ = 0;
  double total_ = 0;
  double done_ = 0;
  double furthest_ = 0;
};

/// Multiply-adds of the parts of a run.
struct work_estimate {
  double tokens = 0;  // of calibration
  double hidden = 0;
  double feed_forward = 0;
  double context = 0;

  double columns(layer_input input) const { return input == layer_input::fc2 ? feed_forward : hidden; }
  double weights() const { return 4 * hidden * hidden + 2 * hidden * feed_forward; }
  double forward(double count) const { return count * (weights() + context * hidden); }
  double gram(layer_input input) const { return 2 * tokens * columns(input) * columns(input) / 2; }
  double prepare(method which, layer_input input) const {
    const double c = columns(input);
    return (which == method::mi ? 100 : 5) * c * c + c * c * c;
  }
  double solve(method which, double rows, double c) const {
    return rows * c * (c + (which == method::sparsegpt ? 50 : 1000));
  }
};

/// What a run works with: loaded once, shared by the methods.
struct run_inputs {
  opt_model dense;
  std::vector<token_windows> texts;
  std::optional<token_windows> calibration;
};

void add_groups(const miq::prepared_inputs& shared, input_entry& entry) {
  for (std::int64_t g = 0; g < shared.groups.groups(); ++g) entry.group_sizes.push_back(shared.groups.size(g));
  entry.candidate_groups = shared.candidate_groups;
  entry.silhouettes = shared.silhouettes;
  entry.tokens = shared.sample_tokens;
  std::visit(
      [&](const auto& result) {
        if constexpr (requires { result.clamped; }) entry.clamped = result.clamped;
        entry.constant = result.constant;
        entry.negative = result.negative;
      },
      shared.information);
  entry.isolated = shared.isolated;
  const auto c = shared.mi.columns();
  double sum = 0;
  for (std::int64_t i = 0; i < c; ++i)
    for (std::int64_t j = i + 1; j < c; ++j) sum += static_cast<double>(shared.mi(i, j));
  if (c > 1) entry.mean_mi = 2 * sum / (static_cast<double>(c) * static_cast<double>(c - 1));
}

/// What was seen of one input of a layer.
struct seen_input {
  std::unique_ptr<miq::calibration::accumulator> moments;  ///< empty: the input is not compressed
  std::unique_ptr<miq::calibration::cross_moments> drift;  ///< from the dense model's input, where it is followed
};

class runner {
 public:
  runner(const options& chosen, const run_hooks& hooks);
  run_report run();

 private:
  void check_targets(const opt_config& config);
  void load();
  void expect_work(progress_meter& meter) const;
  method_report run_method(method which, progress_meter& meter);
  void compress(method which, opt_model& model, method_report& report, progress_meter& meter);
  void compress_input(method which, const miq::compress_options& how, std::int64_t index, layer_input input,
                      opt_model& model, seen_input& seen, method_report& report, progress_meter& meter);
  void evaluate(const opt_model& model, method_report& report, progress_meter& meter);
  bool selects_input(std::int64_t layer, layer_input input) const;
  void check_save_format(const opt_config& config) const;

  const options chosen_;
  const run_hooks& hooks_;
  miq::host_executor exec_;
  std::unique_ptr<layer_solver> solver_;
  run_inputs in_;
  run_report result_;
  work_estimate work_;
  stored_matrices stored_;  // of the method that runs, for formats that store codes
  bool made_save_directory_ = false;
  double hook_seconds_ = 0;  // of one method, spent in `hooks_.grouped`
};

runner::runner(const options& chosen, const run_hooks& hooks)
    : chosen_(with_defaults(chosen)), hooks_(hooks), exec_({.threads = chosen.threads}) {}

bool runner::selects_input(std::int64_t layer, layer_input input) const {
  return std::any_of(all_linears.begin(), all_linears.end(),
                     [&](linear_id id) { return input_of(id) == input && chosen_.selects(layer, name_of(id)); });
}

/// What is known of the matrices before the work must fit the format.
void runner::check_save_format(const opt_config& config) const {
  if (chosen_.save_format == save_format::gptq && result_.selected != config.layers * std::ssize(all_linears))
    throw option_error(
        "--save_format gptq: all matrices must be compressed; leave out --minlayer, --maxlayer, --prune_only and "
        "--invert, or save as miq or compressed-tensors");
  for (const auto which : chosen_.methods) {
    if (which == method::dense) continue;
    const auto how = options_of(which, chosen_);
    for (const auto id : all_linears) {
      matrix_traits traits;
      traits.rows = id == linear_id::fc1 ? config.feed_forward : config.hidden;
      traits.columns = id == linear_id::fc2 ? config.feed_forward : config.hidden;
      traits.quantised = how.quantise;
      traits.layout = how.fit.layout;
      traits.symmetry = how.fit.symmetry;
      traits.scales = how.fit.format;
      if (how.grouping == miq::column_grouping::each_column) traits.groups = traits.columns;
      if (miq::groups_by_information(how.grouping)) traits.groups = how.groups;
      if (how.balanced && traits.groups > 0 && traits.columns % traits.groups == 0)
        traits.group_unit = traits.columns / traits.groups;
      const bool one_width = traits.groups == 1;  // what the budget allows, rounded down
      traits.least_bits = one_width ? static_cast<int>(how.average_bits) : how.budget.minimum_bits;
      traits.most_bits = one_width ? traits.least_bits : how.budget.maximum_bits;
      require_holds(chosen_.save_format, traits, std::string(name_of(which)) + ", " + std::string(name_of(id)));
    }
  }
}

/// Finds out before the work whether results can be stored.
void runner::check_targets(const opt_config& config) {
  if (chosen_.save.empty()) return;
  check_save_format(config);
  std::error_code failure;
  if (chosen_.methods.size() > 1 && !std::filesystem::exists(chosen_.save, failure)) {
    std::filesystem::create_directory(chosen_.save, failure);
    if (failure) throw checkpoint_error(chosen_.save.string() + ": cannot be created: " + failure.message());
    made_save_directory_ = true;
  }
  for (const auto which : chosen_.methods) check_save_target(chosen_.model, chosen_.save_directory(which));

  // Weights in float32, biases and norms left out.
  const auto values = static_cast<double>(config.vocabulary) * static_cast<double>(config.embedding) +
                      static_cast<double>(config.layers) *
                          (4 * static_cast<double>(config.hidden) * static_cast<double>(config.hidden) +
                           2 * static_cast<double>(config.hidden) * static_cast<double>(config.feed_forward));
  const double needed = 4 * values * static_cast<double>(chosen_.methods.size());
  const auto target = std::filesystem::absolute(chosen_.save).lexically_normal() / "";
  const auto space = std::filesystem::space(
      std::filesystem::is_directory(target, failure) ? target : target.parent_path().parent_path(), failure);
  if (!failure && static_cast<double>(space.available) < needed)
    throw checkpoint_error(examples::join(chosen_.save.string(), ": saving needs about ", std::ceil(needed / 1e6),
                                          " MB, but only ", std::floor(static_cast<double>(space.available) / 1e6),
                                          " MB are free there"));
}

void runner::load() {
  progress_meter quiet(hooks_, 0);
  quiet.report("load", 0, 0);
  const auto config = read_config(chosen_.model);
  const auto context = chosen_.seqlen == 0 ? config.context : chosen_.seqlen;
  if (context > config.context)
    throw option_error(
        examples::join("--seqlen: must be at most ", config.context, ", the context of the model, got ", context));
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    for (const auto id : all_linears) result_.selected += chosen_.selects(layer, name_of(id)) ? 1 : 0;
  if (result_.selected == 0)
    throw option_error(examples::join("--minlayer, --maxlayer, --prune_only, --invert: select none of the matrices of ",
                                      config.layers, " layers"));
  check_targets(config);

  const auto tokenizer = byte_pair_tokenizer::load(chosen_.model);
  const auto read = [&](const std::string& name, const std::filesystem::path& file, auto&& cut) {
    quiet.report("tokenize", 0, 0);
    const auto stream = read_token_stream(tokenizer, file, config.bos_token);
    auto windows = cut(stream);
    return std::pair(std::move(windows), text_use{name, file, static_cast<std::int64_t>(stream.size()), 0});
  };
  if (!(chosen_.methods.size() == 1 && chosen_.has(method::dense))) {
    auto [windows, use] = read("calibration", chosen_.calibration, [&](const auto& stream) {
      return chosen_.random_windows
                 ? random_windows(stream, context, chosen_.nsamples, chosen_.calibration.string(), chosen_.seed)
                 : calibration_windows(stream, context, chosen_.nsamples, chosen_.calibration.string());
    });
    use.windows = windows.count();
    in_.calibration = std::move(windows);
    result_.calibration = use;
  }
  if (!chosen_.no_eval) {
    for (const auto& text : chosen_.eval) {
      auto [windows, use] = read(text.name, text.file, [&](const auto& stream) {
        return evaluation_windows(stream, context, chosen_.eval_windows, text.file.string());
      });
      use.windows = windows.count();
      in_.texts.push_back(std::move(windows));
      result_.texts.push_back(use);
    }
  }
  quiet.report("load", 0, 0);
  in_.dense = load_model(exec_, chosen_.model);
  result_.chosen = chosen_;
  result_.config = in_.dense.config;
  result_.context = context;
  result_.threads = exec_.threads();
  result_.instruction_set = miq::instruction_set_name();
  result_.version = examples::join(MIQ_VERSION_MAJOR, '.', MIQ_VERSION_MINOR, '.', MIQ_VERSION_PATCH);
  work_ = {static_cast<double>(chosen_.nsamples * context), static_cast<double>(config.hidden),
           static_cast<double>(config.feed_forward), static_cast<double>(context)};
}

void runner::expect_work(progress_meter& meter) const {
  for (const auto which : chosen_.methods) {
    for (const auto& text : in_.texts)
      meter.expect(work_.forward(static_cast<double>(text.ids.size())) * static_cast<double>(result_.config.layers));
    if (which == method::dense) continue;
    const double running = work_.forward(work_.tokens);
    for (std::int64_t layer = 0; layer < result_.config.layers; ++layer) {
      const auto how = options_of(which, chosen_);
      const bool follows_dense = which == method::mi && (how.target_strength > 0 || chosen_.bias_correction);
      const bool apart = which == method::mi && (chosen_.sequential || follows_dense);
      meter.expect((follows_dense ? 2 : 1) * running);
      if (!apart) meter.expect(running);
      for (const auto input : all_layer_inputs) {
        if (!selects_input(layer, input)) continue;
        meter.expect(work_.gram(input) * (follows_dense ? 3 : 1) + work_.prepare(which, input));
        if (apart) meter.expect(running / 2);
      }
      for (const auto id : all_linears) {
        const auto& weight = in_.dense.layers[static_cast<std::size_t>(layer)][id].weight;
        if (chosen_.selects(layer, name_of(id)))
          meter.expect(work_.solve(which, static_cast<double>(weight.rows()), static_cast<double>(weight.columns())));
      }
    }
  }
}

void runner::compress_input(method which, const miq::compress_options& how, std::int64_t index, layer_input input,
                            opt_model& model, seen_input& seen, method_report& report, progress_meter& meter) {
  auto& layer = model.layers[static_cast<std::size_t>(index)];
  const auto prefix = std::to_string(index) + '.';
  const auto place = examples::join(name_of(which), ", layer ", index, ", input of ", name_of(input));
  const auto statistics = timed(report.phases.gram, [&] { return seen.moments->finish(exec_); });
  const auto sample = seen.moments->sample();
  seen.moments.reset();  // two triangles in double: not needed any more
  const double preparing = work_.prepare(which, input);
  auto shared =
      with_place(place, [&] { return solver_->prepare(statistics, sample.tokens.view(), how, meter.part(preparing)); });
  meter.complete("factor", preparing);
  if (seen.drift != nullptr) {
    shared.drift = timed(report.phases.gram, [&] { return seen.drift->finish(exec_); });
    seen.drift.reset();
  }
  if (which == method::mi && chosen_.grouping >= grouping::random)
    shared.groups =
        control_groups(shared, chosen_.grouping, statistics.view(),
                       chosen_.seed + static_cast<std::uint64_t>(index * 4) + static_cast<std::uint64_t>(input));
  report.phases.solve += shared.seconds.factor;
  report.phases.information += shared.seconds.information;
  report.phases.grouping += shared.seconds.grouping;

  input_entry described;
  described.name = prefix + std::string(name_of(input));
  if (miq::groups_by_information(how.grouping)) add_groups(shared, described);
  const auto first = report.matrices.size();
  for (const auto id : all_linears) {
    if (input_of(id) != input || !chosen_.selects(index, name_of(id))) continue;
    auto& weight = layer[id].weight;
    const double solving =
        work_.solve(which, static_cast<double>(weight.rows()), static_cast<double>(weight.columns()));
    matrix_entry entry{prefix + std::string(name_of(id)), described.name, weight.rows(), weight.columns(), {}};
    auto compressed = with_place(examples::join(name_of(which), ", ", entry.name), [&] {
      return solver_->compress(weight.view(), statistics, shared, how, meter.part(solving));
    });
    meter.complete("sweep", solving);
    weight = std::move(compressed.weights);
    if (which == method::mi && chosen_.bias_correction && !layer[id].bias.empty())
      for (std::size_t r = 0; r < layer[id].bias.size(); ++r) layer[id].bias[r] += compressed.bias_change[r];
    if (!chosen_.save.empty() && chosen_.save_format != save_format::huggingface) {
      const auto labels = compressed.groups.labels();
      stored_[entry.name] = {std::move(compressed.codes),
                             std::move(compressed.kept),
                             std::move(compressed.grids),
                             {labels.begin(), labels.end()},
                             compressed.groups.groups()};
    }
    const auto& seconds = compressed.report.seconds;
    report.phases.solve += seconds.target + seconds.mask + seconds.refit + seconds.fit + seconds.sweep;
    report.phases.allocation += seconds.allocation;
    report.storage += compressed.report.storage;
    report.budget_bits += compressed.report.budget_bits;
    entry.report = std::move(compressed.report);
    report.matrices.push_back(std::move(entry));
  }
  if (hooks_.grouped) {
    const examples::stopwatch timer(hook_seconds_);
    hooks_.grouped({which, index, result_.config.layers, input, shared, std::span(report.matrices).subspan(first)});
  }
  report.inputs.push_back(std::move(described));
}

void runner::compress(method which, opt_model& model, method_report& report, progress_meter& meter) {
  const auto how = options_of(which, chosen_);
  // The dense model runs beside the compressed one where layers make up for what those before them have lost.
  const bool follows_dense = which == method::mi && (how.target_strength > 0 || chosen_.bias_correction);
  const bool in_turn = which == method::mi && chosen_.sequential;
  forward_pass pass(exec_, model);
  forward_pass dense_pass(exec_, in_.dense);
  const double running = work_.forward(work_.tokens);
  const auto layers = static_cast<std::int64_t>(model.layers.size());
  std::int64_t last = layers - 1;
  const auto selects_layer = [&](std::int64_t layer) {
    return std::any_of(all_layer_inputs.begin(), all_layer_inputs.end(),
                       [&](layer_input input) { return selects_input(layer, input); });
  };
  while (!selects_layer(last)) --last;

  meter.report("forward", running, 0);
  auto hidden = timed(report.phases.forward, [&] { return pass.embed(*in_.calibration); });
  hidden_states dense_hidden;
  if (follows_dense) dense_hidden = hidden;
  const auto tokens = static_cast<double>(hidden.values.rows());
  for (std::int64_t index = 0; index <= last; ++index) {
    meter.enter_layer(index + 1);
    std::array<seen_input, 4> seen;
    const auto begin = [&](layer_input input) {
      const auto columns = input == layer_input::fc2 ? model.config.feed_forward : model.config.hidden;
      const bool samples = miq::groups_by_information(how.grouping) && how.estimator.index() != 0;
      auto& one = seen[static_cast<std::size_t>(input)];
      one.moments = std::make_unique<miq::calibration::accumulator>(
          columns, miq::calibration::accumulator_options{.sample_tokens = samples ? chosen_.mi_tokens : 0,
                                                         .seed = chosen_.seed});
      if (follows_dense)
        one.drift = std::make_unique<miq::calibration::cross_moments>(
            columns, columns, miq::calibration::cross_moments_options{.difference = true});
    };
    double gram = 0;
    const auto take = [&](layer_input input, miq::matrix_view<const float> x, miq::matrix_view<const float> dense_x) {
      auto& one = seen[static_cast<std::size_t>(input)];
      if (one.moments == nullptr) return;
      with_place(examples::join(name_of(which), ", layer ", index, ", activations of ", name_of(input)), [&] {
        timed(gram, [&] {
          one.moments->add(exec_, x);
          if (one.drift != nullptr) one.drift->add(exec_, x, dense_x);
        });
      });
    };
    const stopwatch watch;
    double compressing = 0;
    if (!selects_layer(index)) {
      meter.complete("forward", running);
    } else if (!in_turn && !follows_dense) {
      double gram_work = 0;
      for (const auto input : all_layer_inputs) {
        if (!selects_input(index, input)) continue;
        begin(input);
        gram_work += work_.gram(input);
      }
      double tokens_seen = 0;  // of the last of the four inputs, which come in turn
      pass.observe_layer(index, hidden, [&](layer_input input, miq::matrix_view<const float> x) {
        if (input == all_layer_inputs.back()) tokens_seen += static_cast<double>(x.rows());
        take(input, x, {});
        meter.report("forward", running + gram_work, tokens_seen / tokens);
      });
      meter.complete("forward", running + gram_work);
      const examples::stopwatch timer(compressing);
      for (const auto input : all_layer_inputs)
        if (selects_input(index, input))
          compress_input(which, how, index, input, model, seen[static_cast<std::size_t>(input)], report, meter);
    } else {
      const auto compress_now = [&](layer_input input) {
        const examples::stopwatch timer(compressing);
        compress_input(which, how, index, input, model, seen[static_cast<std::size_t>(input)], report, meter);
      };
      for (const auto input : all_layer_inputs) {
        if (!selects_input(index, input)) continue;
        begin(input);
        const double looking = running / 2 + work_.gram(input) * (follows_dense ? 3 : 1);
        for (std::int64_t batch = 0; batch < pass.batches(hidden); ++batch) {
          const auto x = pass.input_of(index, input, hidden, batch);
          miq::matrix_view<const float> dense_x;
          if (follows_dense) dense_x = dense_pass.input_of(index, input, dense_hidden, batch);
          take(input, x, dense_x);
          meter.report("forward", looking, static_cast<double>(batch + 1) / static_cast<double>(pass.batches(hidden)));
        }
        meter.complete("forward", looking);
        if (in_turn) compress_now(input);
      }
      for (const auto input : all_layer_inputs)
        if (!in_turn && selects_input(index, input)) compress_now(input);
    }
    report.phases.forward += watch.seconds() - gram - compressing;
    report.phases.gram += gram;
    if (index < last) {
      timed(report.phases.forward, [&] {
        pass.run_layer(index, hidden);
        if (follows_dense) dense_pass.run_layer(index, dense_hidden);
      });
    }
    meter.complete("forward", running * (follows_dense ? 2 : 1));
  }
  meter.enter_layer(0);
}

void runner::evaluate(const opt_model& model, method_report& report, progress_meter& meter) {
  forward_pass pass(exec_, model);
  for (std::size_t i = 0; i < in_.texts.size(); ++i) {
    const double work =
        work_.forward(static_cast<double>(in_.texts[i].ids.size())) * static_cast<double>(result_.config.layers);
    const auto found = timed(report.phases.evaluate, [&] { return pass.evaluate(in_.texts[i], meter.part(work)); });
    report.texts.push_back({result_.texts[i].name, found.perplexity});
    meter.complete("evaluate", work);
  }
}

method_report runner::run_method(method which, progress_meter& meter) {
  method_report report;
  report.which = which;
  stored_.clear();
  result_.peak_is_per_method = reset_peak_memory();
  meter.enter(name_of(which));
  std::optional<opt_model> copy;
  if (which == method::dense) {
    for (std::int64_t layer = 0; layer < result_.config.layers; ++layer)
      for (const auto id : all_linears)
        if (chosen_.selects(layer, name_of(id)))
          report.storage.weights += in_.dense.layers[static_cast<std::size_t>(layer)][id].weight.size();
    report.storage.kept = report.storage.weights;
    report.storage.code_bits = 16 * static_cast<double>(report.storage.weights);
  } else {
    hook_seconds_ = 0;
    const stopwatch watch;
    copy = in_.dense;
    compress(which, *copy, report, meter);
    report.seconds = watch.seconds() - hook_seconds_;
  }
  const auto& model = copy ? *copy : in_.dense;
  if (!chosen_.save.empty()) {
    const auto target = chosen_.save_directory(which);
    save_model(model, chosen_.model, target,
               {.format = chosen_.save_format, .matrices = &stored_, .progress = meter.part(0)});
    report.saved = target;
  }
  evaluate(model, report, meter);
  report.peak_bytes = peak_memory();
  return report;
}

run_report runner::run() {
  check_options(chosen_);
  solver_ = chosen_.on_device == device::cuda ? make_cuda_solver() : make_host_solver(exec_);
  try {
    load();
    progress_meter meter(hooks_, result_.config.layers);
    expect_work(meter);
    for (const auto which : chosen_.methods) result_.methods.push_back(run_method(which, meter));
  } catch (...) {
    std::error_code ignored;  // of a directory that is not empty: it holds models that are complete
    if (made_save_directory_) std::filesystem::remove(chosen_.save, ignored);
    throw;
  }
  return std::move(result_);
}

}  // namespace

run_report run_compression(const options& chosen, const run_hooks& hooks) { return runner(chosen, hooks).run(); }

}  // namespace compress_opt
