#include "mutual_information/report/results.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <miq/core/version.hpp>

#include "common/errors.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "common/whole_file.hpp"
#include "mutual_information/files/npy.hpp"
#include "mutual_information/report/pictures.hpp"

namespace mutual_information {

namespace {

using examples::fixed;
using nlohmann::json;
namespace information = miq::information;

template <class... Cases>
struct overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
overloaded(Cases...) -> overloaded<Cases...>;

json estimator_as_json(const information::estimator_options& estimator) {
  json fields = std::visit(
      overloaded{[](const information::histogram_options& o) {
                   return json{{"edges", name_of(o.edges)},
                               {"bin_rule", name_of(o.rule)},
                               {"bins", o.rule == information::bin_count_rule::fixed ? json(o.bins) : json(nullptr)},
                               {"correction", name_of(o.estimator)}};
                 },
                 [](const information::knn_options& o) {
                   return json{{"neighbours", o.neighbours},
                               {"ksg", o.variant == information::ksg_variant::first ? 1 : 2},
                               {"noise", o.noise},
                               {"seed", o.seed}};
                 },
                 [](const information::kde_options& o) {
                   return json{{"bandwidth", name_of(o.rule)}, {"leave_one_out", o.leave_one_out}};
                 },
                 [](const auto& o) {
                   json of_others = json::object();
                   if constexpr (requires { o.max_correlation; }) of_others["max_correlation"] = o.max_correlation;
                   return of_others;
                 }},
      estimator);
  fields["name"] = information::name_of(estimator);
  return fields;
}

json estimate_as_json(const information::estimator_result& estimate) {
  const auto& common = information::common_result(estimate);
  json fields = {{"constant", common.constant}, {"negative", common.negative}, {"few_tokens", common.few_tokens}};
  std::visit(overloaded{[&](const information::histogram_result& r) {
                          fields["most_bins"] = r.most_bins;
                          fields["capped"] = r.capped;
                          fields["spreadless"] = r.spreadless;
                        },
                        [&](const auto& r) {
                          if constexpr (requires { r.clamped; }) fields["clamped"] = r.clamped;
                          if constexpr (requires { r.tied; }) fields["tied"] = r.tied;
                          if constexpr (requires { r.floored; }) fields["floored"] = r.floored;
                        }},
             estimate);
  return fields;
}

const char* entropy_name(information::entropy_kind kind) {
  return kind == information::entropy_kind::discrete ? "discrete" : "differential";
}

/// `knn, k = 3, KSG 1`
std::string estimator_text(const information::estimator_options& estimator) {
  const std::string name = information::name_of(estimator);
  return std::visit(overloaded{[&](const information::histogram_options& o) {
                                 return name + ", " +
                                        (o.rule == information::bin_count_rule::fixed ? std::to_string(o.bins)
                                                                                      : std::string(name_of(o.rule))) +
                                        " bins of equal " + std::string(name_of(o.edges)) + ", " +
                                        std::string(name_of(o.estimator));
                               },
                               [&](const information::knn_options& o) {
                                 return name + ", k = " + std::to_string(o.neighbours) + ", KSG " +
                                        (o.variant == information::ksg_variant::first ? "1" : "2");
                               },
                               [&](const information::kde_options& o) {
                                 return name + ", " + std::string(name_of(o.rule)) + " bandwidth";
                               },
                               [&](const auto&) { return name; }},
                    estimator);
}

std::string tokens_text(const samples& input) {
  const auto used = input.values.rows();
  std::string text = std::to_string(used);
  if (used < input.tokens_in_file) text += " of " + std::to_string(input.tokens_in_file);
  return text + (used == 1 && used == input.tokens_in_file ? " token" : " tokens");
}

std::string grouping_text(const options& chosen) {
  std::string text(name_of(chosen.grouping));
  if (chosen.grouping == grouping_method::hierarchical)
    text += ", " + std::string(name_of(chosen.linkage)) + " linkage";
  if (chosen.balanced) text += ", balanced";
  return text;
}

/// A name that fits into a line of a table.
std::string cell_name(const std::string& name) {
  constexpr std::size_t longest = 32;
  const auto text = examples::printable(name);
  return text.size() <= longest ? text : text.substr(0, longest - 3) + "...";
}

}  // namespace

std::vector<ranked_pair> strongest_pairs(miq::matrix_view<const float> mi, std::size_t count) {
  const auto stronger = [](const ranked_pair& a, const ranked_pair& b) {
    return std::tuple(-a.mi, a.first, a.second) < std::tuple(-b.mi, b.first, b.second);
  };
  std::vector<ranked_pair> best;  // a heap with the weakest on top
  for (std::int64_t i = 0; i < mi.rows(); ++i)
    for (auto j = i + 1; j < mi.columns(); ++j) {
      if (best.size() == count && (count == 0 || !(mi(i, j) > best.front().mi))) continue;
      if (best.size() == count) {
        std::pop_heap(best.begin(), best.end(), stronger);
        best.pop_back();
      }
      best.push_back({i, j, mi(i, j)});
      std::push_heap(best.begin(), best.end(), stronger);
    }
  std::sort_heap(best.begin(), best.end(), stronger);
  return best;
}

json groups_as_json(const result& run, const std::vector<std::string>& files) {
  const auto& chosen = run.chosen;
  const auto& input = run.input;
  const auto& found = run.found;
  json candidates = json::array();
  for (std::size_t i = 0; i < found.candidates.size(); ++i)
    candidates.push_back({{"groups", found.candidates[i]}, {"silhouette", found.silhouettes[i]}});
  json groups = json::array();
  for (std::int64_t g = 0; g < found.groups.groups(); ++g) {
    json names = json::array();
    for (const auto channel : found.groups.members(g)) names.push_back(input.names[static_cast<std::size_t>(channel)]);
    groups.push_back({{"group", g},
                      {"size", found.groups.size(g)},
                      {"members", found.groups.members(g)},
                      {"names", names},
                      {"mean_mi_within", found.quality.within[static_cast<std::size_t>(g)]},
                      {"mean_mi_between", found.quality.between[static_cast<std::size_t>(g)]}});
  }
  json entropies = nullptr;
  if (!found.entropies.empty())
    entropies = {{"kind", entropy_name(information::entropies_of(chosen.estimator))}, {"values", found.entropies}};
  json labels = nullptr;
  if (found.labels)
    labels = {{"file", chosen.labels.string()}, {"classes", found.labels->names}, {"mi", found.label_information}};
  return {{"program", "mutual_information"},
          {"version", examples::join(MIQ_VERSION_MAJOR, '.', MIQ_VERSION_MINOR, '.', MIQ_VERSION_PATCH)},
          {"input",
           {{"file", chosen.input.string()},
            {"format", input.format},
            {"tokens", input.tokens_in_file},
            {"tokens_used", input.values.rows()},
            {"channels", input.values.columns()},
            {"shifted_channels", input.shifted}}},
          {"estimator", estimator_as_json(chosen.estimator)},
          {"estimate", estimate_as_json(found.estimate)},
          {"normalisation", name_of(chosen.normalisation)},
          {"permutations", chosen.permutations},
          {"seed", chosen.seed},
          {"threads", run.threads},
          {"seconds", run.seconds},
          {"names", input.names},
          {"constant_channels", found.constant},
          {"entropies", entropies},
          {"class_labels", labels},
          {"grouping",
           {{"method", name_of(chosen.grouping)},
            {"linkage", name_of(chosen.linkage)},
            {"balanced", chosen.balanced},
            {"groups_asked", chosen.n_groups > 0 ? json(chosen.n_groups) : json("auto")},
            {"candidates", candidates}}},
          {"labels", found.groups.labels()},
          {"groups", groups},
          {"order", found.order},
          {"mean_mi_within", found.quality.mean_within},
          {"mean_mi_between", found.quality.mean_between},
          {"kept_share", found.quality.kept_share},
          {"silhouette", found.silhouette ? json(*found.silhouette) : json(nullptr)},
          {"files", files}};
}

std::vector<std::string> write_results(const result& run) {
  const auto& chosen = run.chosen;
  const auto& input = run.input;
  const auto& found = run.found;
  std::vector<std::string> files;
  const auto place = [&](const char* name) {
    files.emplace_back(name);
    return chosen.out / name;
  };
  write_npy(place("mi.npy"), found.mi.view());
  if (!found.normalised.empty()) write_npy(place("normalised.npy"), found.normalised.view());
  if (!found.p_values.empty()) {
    write_npy(place("p_values.npy"), found.p_values.view());
    write_npy(place("bias.npy"), found.bias.view());
  }
  const auto merges = found.tree.merges();
  miq::matrix<double> linkage(std::ssize(merges), 4);
  for (std::int64_t m = 0; m < linkage.rows(); ++m) {
    const auto& merge = merges[static_cast<std::size_t>(m)];
    linkage(m, 0) = static_cast<double>(merge.first);
    linkage(m, 1) = static_cast<double>(merge.second);
    linkage(m, 2) = merge.height;
    linkage(m, 3) = static_cast<double>(merge.size);
  }
  write_npy(place("linkage.npy"), std::as_const(linkage).view());

  const auto file = chosen.input.filename().string();
  const auto what = estimator_text(chosen.estimator) + ", " + tokens_text(input);
  draw_heat_map(file + ": mutual information", what + "; groups: " + grouping_text(chosen), input.names, found)
      .write_png(place("heat_map.png"));
  draw_dendrogram(file + ": dendrogram", std::string(name_of(chosen.linkage)) + " linkage; " + what, input.names, found,
                  chosen.grouping == grouping_method::hierarchical)
      .write_png(place("dendrogram.png"));

  // Last, so that it names what is there. Names and paths from outside may not be UTF-8.
  const auto target = place("groups.json");
  examples::write_whole_file(target,
                             groups_as_json(run, files).dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  return files;
}

std::string summary(const result& run) {
  const auto& chosen = run.chosen;
  const auto& input = run.input;
  const auto& found = run.found;
  const auto channels = found.mi.rows();
  const auto& common = information::common_result(found.estimate);
  const auto name = [&](std::int64_t channel) { return cell_name(input.names[static_cast<std::size_t>(channel)]); };
  std::string text = examples::printable(chosen.input.string()) + ": " + tokens_text(input) + ", " +
                     std::to_string(channels) + (channels == 1 ? " channel" : " channels") + "; " +
                     estimator_text(chosen.estimator) + "; " + fixed(run.seconds, 2) + " s\n";
  if (common.few_tokens) text += "warning: few tokens for this estimator; its values are rough\n";
  if (!found.constant.empty())
    text += "warning: " + std::to_string(found.constant.size()) +
            " constant channels have no information (first: " + name(found.constant.front()) + ")\n";
  if (!input.shifted.empty())
    text += "note: " + std::to_string(input.shifted.size()) +
            " channels lie far from 0 and were moved before rounding to single precision (first: " +
            name(input.shifted.front()) + ")\n";

  const auto pairs = strongest_pairs(found.mi.view(), 10);
  if (!pairs.empty()) {
    examples::table_cells cells(1, {"strongest pairs", "", "MI (nats)"});
    if (!found.normalised.empty()) cells.front().emplace_back(name_of(chosen.normalisation));
    if (!found.p_values.empty()) {
      cells.front().emplace_back("bias");
      cells.front().emplace_back("p");
    }
    for (const auto& pair : pairs) {
      auto& row = cells.emplace_back();
      row = {name(pair.first), name(pair.second), fixed(static_cast<double>(pair.mi), 4)};
      if (!found.normalised.empty())
        row.push_back(fixed(static_cast<double>(found.normalised(pair.first, pair.second)), 4));
      if (!found.p_values.empty()) {
        row.push_back(fixed(static_cast<double>(found.bias(pair.first, pair.second)), 4));
        row.push_back(fixed(static_cast<double>(found.p_values(pair.first, pair.second)), 4));
      }
    }
    text += '\n' + examples::plain_table(cells, 2);
  }

  if (found.labels) {
    std::vector<std::size_t> ranking(found.label_information.size());
    for (std::size_t c = 0; c < ranking.size(); ++c) ranking[c] = c;
    std::stable_sort(ranking.begin(), ranking.end(), [&](std::size_t a, std::size_t b) {
      return found.label_information[a] > found.label_information[b];
    });
    constexpr std::size_t most = 20;
    examples::table_cells cells(1, {"with the label", "MI (nats)"});
    for (std::size_t i = 0; i < std::min(most, ranking.size()); ++i)
      cells.push_back({name(static_cast<std::int64_t>(ranking[i])),
                       fixed(static_cast<double>(found.label_information[ranking[i]]), 4)});
    text += '\n' + examples::plain_table(cells);
    if (ranking.size() > most) text += "... and " + std::to_string(ranking.size() - most) + " more in groups.json\n";
  }

  examples::table_cells cells(1, {"group", "members", "channels", "MI within", "MI between"});
  constexpr std::int64_t most_groups = 32;
  for (std::int64_t g = 0; g < std::min(found.groups.groups(), most_groups); ++g) {
    std::string members;
    std::int64_t shown = 0;
    for (const auto channel : found.groups.members(g)) {
      if (members.size() > 48) break;
      members += (shown > 0 ? ", " : "") + name(channel);
      ++shown;
    }
    if (shown < found.groups.size(g)) members += ", ...";
    cells.push_back({std::to_string(g), members, std::to_string(found.groups.size(g)),
                     fixed(found.quality.within[static_cast<std::size_t>(g)], 4),
                     fixed(found.quality.between[static_cast<std::size_t>(g)], 4)});
  }
  text += '\n' + examples::plain_table(cells, 2);
  if (found.groups.groups() > most_groups)
    text += "... and " + std::to_string(found.groups.groups() - most_groups) + " more in groups.json\n";
  text += "\n" + grouping_text(chosen) + ": " + fixed(100 * found.quality.kept_share, 1) +
          " % of the information lies within groups; silhouette " +
          (found.silhouette ? fixed(*found.silhouette, 3) : "undefined for one group") + '\n';
  return text + "results in " + examples::printable(chosen.out.string()) + '\n';
}

}  // namespace mutual_information
