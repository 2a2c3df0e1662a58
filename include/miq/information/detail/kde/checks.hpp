// What kernel densities ask of options and samples.
#pragma once

#include <cstdint>

#include <miq/information/detail/samples/checks.hpp>
#include <miq/information/kde_options.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

inline constexpr std::int64_t least_kde_tokens = 2, most_kde_tokens = std::int64_t{1} << 24, enough_kde_tokens = 100;
inline constexpr std::int64_t token_chunk = 16;

inline void require_kde(const char* function, const kde_options& options, std::int64_t tokens) {
  require(options.rule == bandwidth_rule::silverman || options.rule == bandwidth_rule::scott, function,
          ": rule must be a bandwidth_rule, got ", static_cast<int>(options.rule));
  require(tokens <= most_kde_tokens, function, ": samples must hold at most ", most_kde_tokens, " tokens, got ",
          tokens);
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
