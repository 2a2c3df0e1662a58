// common/whole_file.hpp: writes a file whole or says why it cannot.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>

#include "common/errors.hpp"

namespace examples {

/// Writes the pieces, contiguous, to `file.partial`, which then takes the place of `file`, so that no reader
/// finds half of it.
/// @throws input_error naming the file and the system's reason; nothing is left behind then
void write_whole_file(const std::filesystem::path& file, std::initializer_list<std::string_view> pieces);
inline void write_whole_file(const std::filesystem::path& file, std::string_view bytes) {
  write_whole_file(file, {bytes});
}

/// Makes the folder if needed and tries to write in it, before work begins whose result would be lost.
/// @param what  the folder, for errors: "the report folder"
/// @throws input_error naming the folder and the reason
void make_writable_folder(const std::filesystem::path& folder, std::string_view what);

}  // namespace examples
