// pipeline/peak_memory.hpp: the largest resident memory of the process, since the start or since a reset.
#pragma once

#include <cstdint>

namespace compress_opt {

/// Begins a new measurement. False where the system cannot (Linux alone can, through /proc/self/clear_refs); then
/// `peak_memory` goes on to mean the whole life of the process.
bool reset_peak_memory();

/// Bytes of resident memory at the highest point, the shared pages of mapped files included; 0 where it is unknown.
std::int64_t peak_memory();

}  // namespace compress_opt
