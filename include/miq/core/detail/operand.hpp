// How a factor of a matrix product is read.
#pragma once

namespace miq::detail {

/// A factor of a matrix product, stored row by row.
enum class operand { as_is, transposed };

}  // namespace miq::detail
