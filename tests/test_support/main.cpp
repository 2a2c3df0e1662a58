// main() of every test program: runs Catch2, prints seeds of failed test cases and the skipped ones.
#define CATCH_CONFIG_RUNNER
#include "test_support/catch.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <miq/core/random.hpp>

namespace {

std::uint64_t draw_base_seed() {
  if (const char* given = std::getenv("MIQ_TEST_SEED"); given != nullptr && *given != '\0') {
    const std::string_view text(given);
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure == std::errc() && end == text.data() + text.size()) return value;
    std::cerr << "MIQ_TEST_SEED must be a whole number from 0 to 2^64 - 1, got " << text << '\n';
    std::exit(2);
  }
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

struct test_state {
  std::uint64_t base_seed = draw_base_seed();
  std::uint64_t seeds_drawn = 0;  // in the current test case, so that it can be repeated alone
  std::string case_name;
  std::uint64_t cases = 0;
  bool case_skipped = false;
  bool failed = false;  // any assertion of any test case
  std::uint64_t skipped_cases = 0;
  std::vector<std::string> skips;
};

test_state& state() {
  static test_state instance;
  return instance;
}

#if defined(CATCH_VERSION_MAJOR) && CATCH_VERSION_MAJOR >= 3
using listener_base = Catch::EventListenerBase;
#else
using listener_base = Catch::TestEventListenerBase;
#endif

class seed_listener : public listener_base {
 public:
  using listener_base::listener_base;

  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    listener_base::testCaseStarting(info);
    auto& now = state();
    now.seeds_drawn = 0;
    now.case_name = info.name;
    now.case_skipped = false;
    ++now.cases;
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    auto& now = state();
    if (now.case_skipped) ++now.skipped_cases;
    now.failed = now.failed || stats.totals.assertions.failed > 0;
    if (stats.totals.assertions.failed > 0 && now.seeds_drawn > 0)
      std::cout << "\nMIQ_TEST_SEED=" << now.base_seed << " repeats the random numbers of the failed test case \""
                << now.case_name << "\"\n"
                << std::flush;
    listener_base::testCaseEnded(stats);
  }
};

}  // namespace

CATCH_REGISTER_LISTENER(seed_listener)

namespace miq_test {

std::uint64_t seed() { return miq::random_hash(state().base_seed, state().seeds_drawn++); }

void detail::note_skip(const char* file, int line, const std::string& reason) {
  state().case_skipped = true;
  state().skips.push_back(std::string(file) + ":" + std::to_string(line) + ": " + reason);
}

}  // namespace miq_test

int main(int argc, char** argv) {
  constexpr int all_skipped = 4;  // as Catch2 3 returns it; ctest knows the number as SKIP_RETURN_CODE
  const int result = Catch::Session().run(argc, argv);
  const auto& end = state();
  for (const auto& skip : end.skips) std::cout << "SKIPPED " << skip << '\n';
  if (end.failed) return 1;  // Catch2 returns the number of failures, which may be 4
  return result == 0 && end.cases > 0 && end.skipped_cases == end.cases ? all_skipped : result;
}
