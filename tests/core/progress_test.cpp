// Progress reports, cancellation, and the exceptions.
#include "test_support/catch.hpp"

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <miq/core/error.hpp>
#include <miq/core/progress.hpp>
#include <miq/core/version.hpp>

TEST_CASE("no callback, no report", "[core][progress]") { CHECK_NOTHROW(miq::report_progress({}, "phase", 0.5)); }

TEST_CASE("a callback sees phase and share, and may cancel", "[core][progress]") {
  std::vector<std::pair<std::string, double>> seen;
  const miq::progress_callback callback = [&](std::string_view phase, double fraction) {
    seen.emplace_back(phase, fraction);
    return fraction < 0.6;
  };
  miq::report_progress(callback, "gram", 0.25);
  miq::report_progress(callback, "sweep", 0.5);
  CHECK_THROWS_AS(miq::report_progress(callback, "sweep", 0.75), miq::cancelled);
  CHECK_THROWS_WITH(miq::report_progress(callback, "refit", 1.0), miq_test::contains("refit"));
  CHECK(seen ==
        std::vector<std::pair<std::string, double>>{{"gram", 0.25}, {"sweep", 0.5}, {"sweep", 0.75}, {"refit", 1.0}});
}

TEST_CASE("an exception of the callback passes through", "[core][progress]") {
  CHECK_THROWS_AS(
      miq::report_progress([](std::string_view, double) -> bool { throw std::logic_error("mine"); }, "phase", 0),
      std::logic_error);
}

TEMPLATE_TEST_CASE("every exception of miq is a miq::error and a std::runtime_error", "[core][error]",
                   miq::invalid_argument, miq::numerical_error, miq::out_of_memory, miq::cancelled) {
  STATIC_REQUIRE(std::is_base_of_v<miq::error, TestType>);
  STATIC_REQUIRE(std::is_base_of_v<std::runtime_error, TestType>);
  CHECK(std::string(TestType("why").what()) == "why");
}

TEST_CASE("require joins its parts only into the message of a failure", "[core][error]") {
  CHECK_NOTHROW(miq::detail::require(true, "unused"));
  CHECK_THROWS_WITH(miq::detail::require(false, "f: mi must be ", miq::detail::shape_text(7, 8), ", got ", 2.5),
                    "f: mi must be [7, 8], got 2.5");
}

TEST_CASE("the version macros agree with the package", "[core][version]") {
  CHECK(std::to_string(MIQ_VERSION_MAJOR) + '.' + std::to_string(MIQ_VERSION_MINOR) + '.' +
            std::to_string(MIQ_VERSION_PATCH) ==
        MIQ_PACKAGE_VERSION);
  CHECK(std::string(miq::instruction_set_name()) == MIQ_STRINGIFY(MIQ_INSTRUCTION_SET));
}
