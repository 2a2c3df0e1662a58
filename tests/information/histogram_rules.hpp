// The options that the rules of histogram_reference.hpp stand for.
#pragma once

#include <string_view>

#include <miq/information/histogram.hpp>

namespace miq_test {

inline miq::information::histogram_options options_of(std::string_view rule) {
  using namespace miq::information;
  if (rule == "width_16") return {};
  if (rule == "width_sqrt") return {.rule = bin_count_rule::square_root};
  if (rule == "width_sturges") return {.rule = bin_count_rule::sturges};
  if (rule == "width_fd") return {.rule = bin_count_rule::freedman_diaconis};
  return {.edges = bin_edges::equal_frequency, .bins = rule.back() - '0'};
}

}  // namespace miq_test
