// What `mask_search` refuses without reading an element.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/mask_search_options.hpp>

namespace miq::obs::detail {

/// What can be said without reading an element: shapes, options, overlaps. For any memory.
template <class Space>
void check_mask_search_shapes(const mask_search_inputs<Space>& in, const mask_search_outputs<Space>& out,
                              const mask_search_options& options) {
  using miq::detail::overlap;
  using miq::detail::require;
  using miq::detail::shape_text;
  constexpr const char* name = "mask_search";
  const auto rows = in.target.rows(), columns = in.target.columns();
  const auto shaped = [&](auto m, const char* argument) {
    require(m.rows() == rows && m.columns() == columns, name, ": ", argument, " must be ", shape_text(rows, columns),
            " like target, got ", shape_text(m.rows(), m.columns()));
  };
  check_hessian_shape(name, in.hessian);
  require(in.hessian.columns() == columns, name, ": target must have ", in.hessian.columns(),
          " columns like hessian, got ", shape_text(rows, columns));
  shaped(in.kept, "kept");
  if (!in.start.empty()) shaped(in.start, "start");
  shaped(out.kept, "the resulting kept");
  shaped(out.weights, "weights");
  require(options.iterations >= 1 && options.iterations <= 10000, name, ": iterations must be 1 to 10000, got ",
          options.iterations);
  require(options.levels >= 1 && options.levels <= 20, name, ": levels must be 1 to 20, got ", options.levels);
  require(options.penalty > 0 && std::isfinite(options.penalty), name, ": penalty must be finite and above 0, got ",
          options.penalty);
  require(options.penalty_factor >= 1 && std::isfinite(options.penalty_factor), name,
          ": penalty_factor must be finite and at least 1, got ", options.penalty_factor);
  check_damping(name, options.damping);
  require(options.scope == mask_scope::layer || options.scope == mask_scope::row ||
              options.scope == mask_scope::column_group,
          name, ": scope must be mask_scope::layer, row or column_group");
  require(options.scope != mask_scope::column_group || in.labels.size() == columns, name, ": labels must have ",
          columns, " elements, got ", in.labels.size());
  require(!overlap(in.target, out.weights) && !overlap(in.hessian, out.weights) && !overlap(in.kept, out.weights) &&
              (in.start.empty() || !overlap(in.start, out.weights)) && !overlap(in.target, out.kept) &&
              !overlap(in.hessian, out.kept) && !overlap(in.kept, out.kept) &&
              (in.start.empty() || !overlap(in.start, out.kept)) && !overlap(out.weights, out.kept),
          name, ": outputs must not overlap inputs or each other");
}

}  // namespace miq::obs::detail
