// What affinities ask of shapes, in any memory.
#pragma once

#include <cstdint>

#include <miq/information/detail/samples/checks.hpp>

namespace miq::information::detail {
inline namespace MIQ_INSTRUCTION_SET {

/// What affinities and normalisations ask of shapes, in any memory.
template <class Space>
void require_information_shape(const char* function, const matrix_view<const float, Space>& mi,
                               const matrix_view<float, Space>& out) {
  require(mi.rows() == mi.columns(), function, ": mi must be square, got ", shape_text(mi.rows(), mi.columns()));
  require(out.rows() == mi.rows() && out.columns() == mi.columns(), function, ": out must be ",
          shape_text(mi.rows(), mi.columns()), " to match mi, got ", shape_text(out.rows(), out.columns()));
  require(!miq::detail::overlap(mi, matrix_view<const float, Space>(out)), function, ": out must not overlap mi");
}

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::information::detail
