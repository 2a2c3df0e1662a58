// test_support/catch.hpp: Catch2 3 or 2.13 behind one include, seeds that print themselves, visible skips.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>  // declares Approx itself
#endif

#include <cstdint>
#include <string>

namespace miq_test {

/// A seed for a random test, a new one at each call and in each run. When the test case fails, the program prints the
/// value of the environment variable MIQ_TEST_SEED that gives the same seeds to the same test case again.
std::uint64_t seed();

/// A matcher for texts that contain `part`, under the name that it has in the version at hand.
inline auto contains(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

namespace detail {
void note_skip(const char* file, int line, const std::string& reason);
}

}  // namespace miq_test

/// Leaves the test case (use it in the body of a TEST_CASE only) and reports it as skipped, in both versions of Catch2.
#if defined(SKIP)
#define MIQ_SKIP(reason)                                         \
  do {                                                           \
    ::miq_test::detail::note_skip(__FILE__, __LINE__, (reason)); \
    SKIP(reason);                                                \
  } while (false)
#else
#define MIQ_SKIP(reason)                                         \
  do {                                                           \
    ::miq_test::detail::note_skip(__FILE__, __LINE__, (reason)); \
    SUCCEED(reason);                                             \
    return;                                                      \
  } while (false)
#endif
