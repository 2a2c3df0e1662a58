// Times of the device's functions by CUDA events, the second-level cache flushed before each, scratch given or from a
// caching allocator; beside each its share of a floor (device_bench.hpp): the operations and bytes that it cannot do
// without, at the rates of an H200.
//
// With `--small` every benchmark runs once at a small size: a test that it runs. Returns 1 if one of them fails, as all
// do where there is no device.
#include <cstring>
#include <iostream>

#include "device_bench.hpp"

namespace {

/// Prints, and remembers errors.
class counting_reporter final : public benchmark::ConsoleReporter {
 public:
  counting_reporter() : ConsoleReporter(OO_Tabular) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    ++benchmarks;
    for (const auto& run : runs) errors += failed(run) ? 1 : 0;
    ConsoleReporter::ReportRuns(runs);
  }
  int benchmarks = 0;
  int errors = 0;

 private:
  /// Google Benchmark 1.8 renamed it.
  template <class Any>
  static bool failed(const Any& run) {
    if constexpr (requires { run.error_occurred; })
      return run.error_occurred;
    else
      return run.skipped != decltype(run.skipped){};
  }
};

}  // namespace

int main(int count, char** arguments) {
  miq_bench::sizes size;
  for (int i = 1; i < count; ++i)
    if (std::strcmp(arguments[i], "--small") == 0) {
      size.small = true;
      std::rotate(arguments + i, arguments + i + 1, arguments + count);
      --count;
      break;
    }
  miq_bench::add_ceilings(size);
  miq_bench::add_calibration(size);
  miq_bench::add_information(size);
  miq_bench::add_grouping(size);
  miq_bench::add_quantization(size);
  miq_bench::add_obs(size);
  miq_bench::add_compress(size);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 1;
  counting_reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  if (reporter.errors > 0) std::cerr << reporter.errors << " of " << reporter.benchmarks << " benchmarks failed\n";
  return reporter.errors > 0 || reporter.benchmarks == 0 ? 1 : 0;
}
