// Groups from an affinity or a distance of all pairs of channels.
#include "device_bench.hpp"

namespace miq_bench {
namespace {

namespace grouping = miq::grouping;

double bytes_of_matrix(std::int64_t channels) {
  return 4 * static_cast<double>(channels) * static_cast<double>(channels);
}

/// The floor is one pass over the affinity.
void spectral(benchmark::State& state) {
  const auto channels = state.range(0);
  const auto affinity = there(decaying_matrix(channels, 0));
  const grouping::spectral_options options{.groups = static_cast<int>(state.range(1))};
  const auto scratch = there<std::byte>(grouping::spectral_workspace_bytes(channels, options));
  measure(state, {.bytes = bytes_of_matrix(channels)},
          [&] { grouping::spectral(exec(), read(affinity), options, all_of(scratch)); });
}

void kmeans(benchmark::State& state) {
  const auto rows = state.range(0), columns = state.range(1);
  const auto points = there(random_matrix(rows, columns, 1));
  const grouping::kmeans_options options{.groups = static_cast<int>(columns)};
  const auto scratch = there<std::byte>(grouping::kmeans_workspace_bytes(rows, columns, options));
  int iterations = 0;
  const auto seconds = measure(
      state, {}, [&] { iterations = grouping::kmeans(exec(), read(points), options, all_of(scratch)).iterations; });
  state.counters["restarts"] = options.restarts;
  state.counters["ms/restart"] = 1e3 * seconds / options.restarts;
  state.counters["best_iterations"] = iterations;
}

void silhouette(benchmark::State& state) {
  const auto channels = state.range(0), groups = state.range(1);
  const auto distance = there(decaying_matrix(channels, 0));
  const auto partition = grouping::partition::contiguous(channels, groups);
  const auto scratch = there<std::byte>(grouping::silhouette_workspace_bytes(channels, groups));
  measure(state, {.bytes = bytes_of_matrix(channels)},
          [&] { grouping::silhouette(exec(), read(distance), partition, all_of(scratch)); });
}

void describe_groups(benchmark::State& state) {
  const auto channels = state.range(0), groups = state.range(1);
  const auto mi = there(decaying_matrix(channels, 0));
  const auto partition = grouping::partition::contiguous(channels, groups);
  measure(state, {.bytes = bytes_of_matrix(channels)}, [&] { grouping::describe_groups(exec(), read(mi), partition); });
}

/// The host's algorithm: the floor is the way of the matrix to the host, not the device's memory.
void group_by_linkage(benchmark::State& state) {
  const auto channels = state.range(0);
  const auto mi = there(decaying_matrix(channels, 0));
  measure(state, {}, [&] {
    grouping::group_by_information(
        exec(), read(mi), {},
        {.method = grouping::grouping_method::hierarchical, .groups = static_cast<int>(state.range(1))});
  });
}

}  // namespace

void add_grouping(const sizes& size) {
  const std::vector<std::string> names{"channels", "groups"};
  const std::vector<std::int64_t> layer{size(4096, 40), size(32, 4)}, wide{size(13824, 70), size(32, 4)};
  add("spectral", size, 3, spectral)->ArgNames(names)->Args(layer)->Args(wide);
  add("kmeans", size, 3, kmeans)->ArgNames({"points", "groups"})->Args(layer)->Args(wide);
  add("silhouette", size, 5, silhouette)->ArgNames(names)->Args(layer)->Args(wide);
  add("describe_groups", size, 5, describe_groups)->ArgNames(names)->Args(layer)->Args(wide);
  add("group_by_linkage", size, 1, group_by_linkage)->ArgNames(names)->Args(layer);
}

}  // namespace miq_bench
