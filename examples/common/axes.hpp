// common/axes.hpp: numbers along the axes of pictures.
#pragma once

#include <string>
#include <vector>

namespace examples {

/// A number as an axis shows it: whole below a million, else three digits at most; no trailing zeros.
std::string axis_number(double value);

/// Even steps of 1, 2 or 5 times a power of ten, about `count` of them, from 0 to at most `top`.
std::vector<double> ticks_to(double top, int count);

}  // namespace examples
