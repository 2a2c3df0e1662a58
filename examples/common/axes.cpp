#include "common/axes.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace examples {

std::string axis_number(double value) {
  std::array<char, 40> text{};
  const bool whole = value == std::floor(value) && std::abs(value) < 1e6;
  std::snprintf(text.data(), text.size(), whole ? "%.0f" : "%.3g", value);
  return text.data();
}

std::vector<double> ticks_to(double top, int count) {
  if (!(top > 0) || !std::isfinite(top)) return {0};
  const double rough = top / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * (1 - 1e-9)) {
      step = factor * power;
      break;
    }
  std::vector<double> ticks;
  for (int i = 0; i * step <= top * (1 + 1e-9); ++i) ticks.push_back(i * step);
  return ticks;
}

}  // namespace examples
