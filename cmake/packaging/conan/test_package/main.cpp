#include <cmath>
#include <cstdio>

#include <miq/information/affinity.hpp>
#include <miq/quantization/affine_grid.hpp>

int main() {
  using namespace miq::quantization;
  const auto grid = grid_of_range(-1, 1, 4, grid_symmetry::asymmetric, scale_format::float16);
  const float level = dequantise(quantise(0.5F, grid), grid);
  std::printf("0.5 in 4 bits: %g\n", static_cast<double>(level));
  return std::fabs(level - 0.5F) <= grid.scale / 2 ? 0 : 1;
}
