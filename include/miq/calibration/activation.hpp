// calibration/activation.hpp: the element types of activations.
#pragma once

#include <concepts>

#include <miq/core/numeric_types.hpp>

namespace miq::calibration {

/// What activations may be stored as.
template <class T>
concept activation = std::same_as<T, float> || std::same_as<T, float16> || std::same_as<T, bfloat16>;

}  // namespace miq::calibration
