// What `refit` refuses without reading an element.
#pragma once

#include <cmath>
#include <cstdint>

#include <miq/core/error.hpp>
#include <miq/core/matrix_view.hpp>
#include <miq/obs/detail/solver/damping.hpp>
#include <miq/obs/refit_options.hpp>

namespace miq::obs::detail {

/// What can be said without reading an element: shapes, options, overlaps. For any memory.
template <class Space>
void check_refit_shapes(const refit_inputs<Space>& in, const refit_outputs<Space>& out, const refit_options& options) {
  using miq::detail::overlap;
  using miq::detail::require;
  using miq::detail::shape_text;
  const auto rows = in.target.rows(), columns = in.target.columns();
  const auto shaped = [&](auto m, const char* name) {
    require(m.rows() == rows && m.columns() == columns, "refit: ", name, " must be ", shape_text(rows, columns),
            " like target, got ", shape_text(m.rows(), m.columns()));
  };
  check_hessian_shape("refit", in.hessian);
  require(in.hessian.columns() == columns, "refit: target must have ", in.hessian.columns(),
          " columns like hessian, got ", shape_text(rows, columns));
  shaped(in.kept, "kept");
  if (!in.start.empty()) shaped(in.start, "start");
  shaped(out.weights, "weights");
  require(out.row_loss.empty() || out.row_loss.size() == rows, "refit: row_loss must have ", rows, " elements, got ",
          out.row_loss.size());
  require(options.iterations >= 0 && options.iterations <= 1000, "refit: iterations must be 0 to 1000, got ",
          options.iterations);
  require(options.tolerance >= 0 && options.tolerance < 1, "refit: tolerance must be at least 0 and below 1, got ",
          options.tolerance);
  check_damping("refit", options.damping);
  require(!overlap(in.target, out.weights) && !overlap(in.hessian, out.weights) && !overlap(in.kept, out.weights) &&
              (in.start.empty() || !overlap(in.start, out.weights)),
          "refit: weights must not overlap an input");
}

}  // namespace miq::obs::detail
