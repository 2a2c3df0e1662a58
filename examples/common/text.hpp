// common/text.hpp: messages put together from parts.
#pragma once

#include <concepts>
#include <cstdint>
#include <sstream>
#include <string>
#include <type_traits>

#include <miq/core/error.hpp>

namespace examples {

/// Numbers as streams write them; bytes are numbers.
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream text;
  const auto add = [&](const auto& part) {
    using type = std::remove_cvref_t<decltype(part)>;
    if constexpr (std::same_as<type, std::uint8_t> || std::same_as<type, std::int8_t>)
      text << static_cast<int>(part);
    else
      text << part;
  };
  (add(parts), ...);
  return text.str();
}

/// `[rows, columns]`
inline std::string shape_text(std::int64_t rows, std::int64_t columns) { return join('[', rows, ", ", columns, ']'); }

/// Throws `miq::invalid_argument` with the parts joined, unless `condition` holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw miq::invalid_argument(join(parts...));
}

}  // namespace examples
