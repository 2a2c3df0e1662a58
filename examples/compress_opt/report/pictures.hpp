// report/pictures.hpp: what the groups of a layer's input look like.
#pragma once

#include <miq/core/matrix_view.hpp>
#include <miq/grouping/partition.hpp>
#include <span>
#include <string>

#include "common/canvas.hpp"
#include "compress_opt/report/run_report.hpp"

namespace compress_opt {

/// The mutual information of all pairs of columns, in natural order and sorted by group, with one scale of colours. The
/// scale is even in the square root of the information, which for weak dependence is the correlation, and ends at the
/// 99.5th percentile of the pairs. Matrices wider than about 900 columns are averaged over square blocks.
/// @param mi  [c, c] in nats, of the columns of `groups`
canvas draw_information(const std::string& title, miq::matrix_view<const float> mi,
                        const miq::grouping::partition& groups);

/// Four panels: columns per group; bits per group for each matrix; mean mutual information inside and around each
/// group; the affinities (information coefficients) of pairs inside and across groups, each sorted.
canvas draw_groups(const std::string& title, miq::matrix_view<const float> mi, const miq::grouping::partition& groups,
                   std::span<const matrix_entry> matrices);

}  // namespace compress_opt
