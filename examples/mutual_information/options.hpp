// options.hpp: what mutual_information can be asked for, and how the command line says it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <miq/grouping/group_by_information.hpp>
#include <miq/information/estimator.hpp>
#include <miq/information/normalisation.hpp>
#include <string>
#include <string_view>

namespace mutual_information {

using miq::grouping::grouping_method;

std::string_view name_of(grouping_method method);
std::string_view name_of(miq::grouping::linkage_method method);
std::string_view name_of(miq::information::normalisation how);
std::string_view name_of(miq::information::bin_count_rule rule);
std::string_view name_of(miq::information::bin_edges edges);
std::string_view name_of(miq::information::entropy_estimator estimator);
std::string_view name_of(miq::information::bandwidth_rule rule);

/// Named after the command line's options, with their defaults.
struct options {
  std::filesystem::path input;
  std::filesystem::path out;  ///< where the results go

  miq::information::estimator_options estimator = miq::information::correlation_options{};
  std::int64_t max_tokens = 0;  ///< 0: all
  std::int64_t permutations = 0;
  miq::information::normalisation normalisation = miq::information::normalisation::none;
  std::filesystem::path labels;  ///< empty: none

  grouping_method grouping = grouping_method::spectral;
  miq::grouping::linkage_method linkage = miq::grouping::linkage_method::average;
  int n_groups = 0;  ///< 0: chosen ("auto")
  bool balanced = false;

  std::uint64_t seed = 0;
  int threads = 0;  ///< 0: one per core
  bool quiet = false;
};

/// What the command line asks for: options, or a text to print (help or version).
struct command_line {
  options chosen;
  std::string text;  ///< not empty: print it and stop
};

/// @throws examples::option_error naming the option that is unknown, out of range, has no effect or contradicts another
command_line parse_command_line(int argc, const char* const* argv);

}  // namespace mutual_information
