#include "compress_opt/files/json.hpp"

#include <unordered_set>
#include <vector>

#include "compress_opt/errors.hpp"

namespace compress_opt {

nlohmann::json parse_json_object(std::string_view text, const std::string& source) {
  using nlohmann::json;
  constexpr int deepest = 32;
  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest) throw input_error(source + ": JSON is nested deeper than " + std::to_string(deepest));
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw input_error(source + ": JSON names '" + parsed.get<std::string>() + "' twice in one object");
    return true;
  };
  try {
    auto parsed = json::parse(text.begin(), text.end(), watch);
    if (!parsed.is_object()) throw input_error(source + ": not a JSON object");
    return parsed;
  } catch (const json::exception& failure) {
    throw input_error(source + ": not valid JSON: " + failure.what());
  }
}

}  // namespace compress_opt
