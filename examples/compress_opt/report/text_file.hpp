// report/text_file.hpp: writes a file whole or says why it cannot.
#pragma once

#include <filesystem>
#include <string_view>

#include "compress_opt/errors.hpp"

namespace compress_opt {

/// Writes `bytes` to `file.partial`, which then takes the place of `file`, so that no reader finds half of it.
/// @throws input_error naming the file and the system's reason; nothing is left behind then
void write_text_file(const std::filesystem::path& file, std::string_view bytes);

}  // namespace compress_opt
