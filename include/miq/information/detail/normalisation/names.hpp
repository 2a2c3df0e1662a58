#pragma once

#include <miq/information/normalisation_options.hpp>

namespace miq::information::detail {

constexpr const char* name_of(normalisation how) {
  switch (how) {
    case normalisation::none:
      return "none";
    case normalisation::arithmetic:
      return "arithmetic";
    case normalisation::geometric:
      return "geometric";
    case normalisation::minimum:
      return "minimum";
    case normalisation::maximum:
      return "maximum";
    case normalisation::correlation:
      return "correlation";
    case normalisation::information_coefficient:
      return "information_coefficient";
  }
  return "unknown";
}

constexpr bool needs_entropies(normalisation how) {
  return how == normalisation::arithmetic || how == normalisation::geometric || how == normalisation::minimum ||
         how == normalisation::maximum;
}

}  // namespace miq::information::detail
