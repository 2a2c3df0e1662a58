// compress_opt --device cuda: the same run as on the host, up to rounding.
#include <cmath>
#include <stdexcept>

#include "compress_opt/pipeline/compression.hpp"
#include "pipeline_support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

TEST_CASE("a model compressed on a device stores what the host stores, and is as good", "[pipeline][device]") {
  tiny_run tiny(seed());
  tiny.chosen.sparsity = 0.5;
  tiny.chosen.wbits = 4;
  const auto on_host = run_compression(tiny.chosen);
  tiny.chosen.on_device = device::cuda;
  const auto on_device = run_compression(tiny.chosen);
  REQUIRE(on_device.methods.size() == on_host.methods.size());
  for (std::size_t m = 0; m < on_host.methods.size(); ++m) {
    const auto& expected = on_host.methods[m];
    const auto& found = on_device.methods[m];
    INFO(name_of(expected.which));
    CHECK(found.which == expected.which);
    CHECK(found.storage.kept == expected.storage.kept);
    CHECK(found.budget_bits == Approx(expected.budget_bits).epsilon(1e-12));
    REQUIRE(found.texts.size() == 1);
    // Weights are random and the text short: a few decisions that rounding changes show in the third digit.
    CHECK(found.texts.front().perplexity == Approx(expected.texts.front().perplexity).epsilon(0.02));
    REQUIRE(found.matrices.size() == expected.matrices.size());
    for (std::size_t k = 0; k < found.matrices.size(); ++k) {
      INFO(found.matrices[k].name);
      CHECK(found.matrices[k].report.storage.kept == expected.matrices[k].report.storage.kept);
    }
    // Beyond the first layer inputs differ by what the layers before have lost.
    for (std::size_t k = 0; k < 4 && k < found.matrices.size(); ++k) {
      INFO(found.matrices[k].name);
      CHECK(found.matrices[k].report.loss == Approx(expected.matrices[k].report.loss).epsilon(0.05));
    }
  }
}
