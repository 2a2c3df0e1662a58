// files/json.hpp: JSON from files that are not trusted.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace compress_opt {

/// Parses a JSON object. Refuses nesting deeper than 32, an object that names a key twice, and anything but white
/// space behind the object.
/// @param source  the file, for errors
/// @throws input_error naming the source and the place
nlohmann::json parse_json_object(std::string_view text, const std::string& source);

}  // namespace compress_opt
