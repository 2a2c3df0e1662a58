// What a sweep rounds to, and the limits that the host and the device share.
#pragma once

#include <cstdint>

namespace miq::obs::detail {

enum class grid_kind { none, affine, zero_free };

/// The most columns of a group of an N:M mask.
inline constexpr std::int64_t largest_pattern = 64;

}  // namespace miq::obs::detail
