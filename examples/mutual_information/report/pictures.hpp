// report/pictures.hpp: the information between channels, and their groups, to look at.
#pragma once

#include <string>
#include <vector>

#include "common/canvas.hpp"
#include "mutual_information/analysis.hpp"

namespace mutual_information {

/// The mutual information of all pairs, channels in the order of `findings::order`, with lines between groups, groups
/// numbered on top and on the right, and one scale of colours (see `examples::colour_range`). Up to 90 channels have
/// their names beside them; more than 900 are averaged over square blocks.
examples::canvas draw_heat_map(const std::string& title, const std::string& subtitle,
                               const std::vector<std::string>& names, const findings& found);

/// The dendrogram, with the distance `exp(-I)` on the left and the information that it stands for on the right.
/// Branches whose channels are all of one group have its colour; below the leaves runs a strip with the groups' colours
/// and numbers, and up to 200 channels have their names below it.
/// @param cut  whether the groups are a cut of the tree, which is then shown as a dashed line
examples::canvas draw_dendrogram(const std::string& title, const std::string& subtitle,
                                 const std::vector<std::string>& names, const findings& found, bool cut);

}  // namespace mutual_information
