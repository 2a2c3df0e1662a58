// The factor and the sweep against a PyTorch implementation of the published algorithm (make_reference.py).
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <miq/obs/factor.hpp>
#include <miq/obs/sweep.hpp>
#include <miq/quantization/fit.hpp>

#include "test_support/catch.hpp"

TEST_CASE("the sweep decides as the published algorithm in PyTorch does", "[obs]") {
  std::ifstream file(std::string(MIQ_SOURCE_DIR) + "/tests/obs/torch_sweep.txt");
  REQUIRE(file);
  std::stringstream values;
  for (std::string line; std::getline(file, line);)
    if (line.empty() || line[0] != '#') values << line << '\n';

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int tokens = 0;
  std::int64_t block = 0;
  double damping = 0;
  int cases = 0;
  values >> rows >> columns >> tokens >> block >> damping >> cases;
  REQUIRE(cases > 0);
  miq::matrix<float> weights(rows, columns);
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    values >> weights.data()[i];
    weights.data()[i] /= 4096;
  }
  miq::matrix<float> hessian(columns, columns);
  for (std::int64_t i = 0; i < hessian.size(); ++i) {
    values >> hessian.data()[i];
    hessian.data()[i] *= 2 / static_cast<float>(tokens);
  }
  const miq::host_executor exec({.threads = 2});
  miq::matrix<float> upper(columns, columns);
  miq::obs::factor(exec, hessian.view(), upper.view(), {.damping = damping});
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(columns), 0);

  for (int i = 0; i < cases; ++i) {
    double sparsity = 0;
    int bits = 0;
    double loss = 0;
    values >> sparsity >> bits >> loss;
    REQUIRE(values);
    INFO("sparsity " << sparsity << " bits " << bits);
    miq::quantization::grid_set grids;
    if (bits > 0) {
      const std::vector<std::uint8_t> widths{static_cast<std::uint8_t>(bits)};
      grids = miq::quantization::fit_grids(exec, weights.view(), labels, widths,
                                           {.format = miq::quantization::scale_format::float32});
    }
    const auto view = grids.view();
    miq::matrix<float> settled(rows, columns);
    miq::matrix<std::uint8_t> codes(rows, columns);
    miq::matrix<std::uint8_t> kept(rows, columns);
    const auto result =
        miq::obs::sweep(exec, {weights.view(), upper.view(), bits > 0 ? std::optional(view) : std::nullopt, {}},
                        {settled.view(), bits > 0 ? codes.view() : miq::matrix_view<std::uint8_t>{}, kept.view(), {}},
                        {.sparsity = sparsity, .column_block = block});
    // The smallest eigenvalue is bounded by the damping, so that the condition number is below a few hundred; 48
    // columns of float updates stay below 1e-4 of the largest weight (about 1/2, which compensation may double).
    CHECK(result.loss == Approx(loss).epsilon(1e-4));
    for (std::int64_t k = 0; k < weights.size(); ++k) {
      double expected = 0;
      values >> expected;
      REQUIRE(values);
      const bool masked = kept.data()[k] == 0;
      if (bits > 0) {
        REQUIRE((masked ? -1 : static_cast<int>(codes.data()[k])) == static_cast<int>(expected));
      } else {
        REQUIRE(masked == (expected == -1));
        REQUIRE(static_cast<double>(settled.data()[k]) == Approx(masked ? 0 : expected).margin(1e-4));
      }
    }
  }
}
