// The report of compress_opt: its JSON and Markdown, the table, the pictures, the folder.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "common/canvas.hpp"
#include "compress_opt/report/pictures.hpp"
#include "compress_opt/report/report_folder.hpp"
#include "compress_opt/report/table.hpp"
#include "pipeline_support.hpp"
#include "png_size.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

bool same(colour a, colour b) { return a.red == b.red && a.green == b.green && a.blue == b.blue; }

}  // namespace

TEST_CASE("report.json holds what its readers rely on", "[report]") {
  tiny_run tiny(seed());
  tiny.chosen.report = tiny.directory / "report";
  report_folder folder(tiny.chosen.report, tiny.chosen);
  run_hooks hooks;
  hooks.grouped = [&](const grouped_input& input) { folder.draw(input); };
  const auto run = run_compression(tiny.chosen, hooks);
  folder.write(run);

  const auto report = read_json(tiny.chosen.report / "report.json");
  CHECK(report.at("version") == "0.1.0");
  CHECK(report.at("threads") == 1);
  CHECK(report.at("instruction_set").is_string());
  CHECK(report.at("model").at("hidden") == tiny_width);
  CHECK(report.at("options").at("sparsity") == 0.5);
  const auto& methods = report.at("methods");
  REQUIRE(methods.size() == 4);
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const auto& method = methods[m];
    CHECK(method.at("name") == name_of(run.methods[m].which));
    CHECK(method.at("perplexity").at("demo") == run.methods[m].texts.front().perplexity);
    for (const auto* number :
         {"sparsity", "bits_per_weight_stored", "bits_per_weight_without_metadata", "seconds", "peak_bytes"})
      CHECK(method.at(number).is_number());
    for (const auto* phase : {"forward", "gram", "solve", "information", "grouping", "allocation", "evaluate"})
      CHECK(method.at("phases").at(phase).get<double>() >= 0);
    CHECK(method.at("layers").size() == (m == 0 ? 0 : 6 * tiny_layers));
    for (const auto& matrix : method.at("layers")) {
      CHECK(matrix.at("name").is_string());
      CHECK(matrix.at("loss").get<double>() > 0);
      CHECK(matrix.at("damping").get<double>() == Approx(0.01));
      std::int64_t columns = 0;
      for (const auto& [bits, count] : matrix.at("columns_by_bits").items()) columns += count.get<std::int64_t>();
      CHECK(columns == matrix.at("columns"));
    }
  }
  CHECK(methods[3].at("inputs").size() == 4 * tiny_layers);
  std::map<std::string, std::vector<int>> input_sizes;
  for (const auto& input : methods[3].at("inputs"))
    input_sizes[input.at("name").get<std::string>()] = input.at("group_sizes").get<std::vector<int>>();
  for (const auto& matrix : methods[3].at("layers")) {
    CHECK(matrix.at("groups").size() >= 4);  // each of the four whole, or in two parts
    CHECK(matrix.at("groups").size() <= 8);
    std::map<int, int> columns_of_parent;
    for (const auto& group : matrix.at("groups"))
      columns_of_parent[group.at("parent").get<int>()] += group.at("columns").get<int>();
    const auto sizes = input_sizes.at(matrix.at("input").get<std::string>());
    for (std::size_t g = 0; g < 4; ++g) CHECK(columns_of_parent[static_cast<int>(g)] == sizes[g]);
  }
  // Phases are parts of the whole.
  double sum = 0;
  for (const auto& [phase, seconds] : methods[3].at("phases").items())
    if (phase != "evaluate") sum += seconds.get<double>();
  CHECK(sum <= methods[3].at("seconds").get<double>());

  const auto text = read_text(tiny.chosen.report / "performance_report.md");
  for (const auto* word : {"| dense |", "| sparsegpt |", "| enhanced |", "| mi |", "## Closure",
                           "mi_matrix_0.attention", "| headroom, bits | realised |"})
    CHECK(text.find(word) != std::string::npos);
  REQUIRE(report.at("pictures").size() == 4 * tiny_layers);
  for (const auto& name : report.at("pictures")) {
    const auto [width, height] = png_size(read_text(tiny.chosen.report / name.get<std::string>()));
    CHECK(width > 800);
    CHECK(height > 600);
  }
}

TEST_CASE("pictures are spread over the layers that are selected", "[report]") {
  const temporary_directory directory;
  const miq::host_executor exec({.threads = 1});
  miq::prepared_inputs shared;
  shared.mi = miq::matrix<float>(4, 4, 0.1F);
  shared.groups = miq::grouping::partition::contiguous(4, 2);
  const auto drawn = [&](const options& chosen, std::int64_t layers) {
    const temporary_directory folder_directory;
    report_folder folder(folder_directory.path(), chosen);
    for (std::int64_t layer = 0; layer < layers; ++layer)
      for (const auto input : all_layer_inputs) folder.draw({method::mi, layer, layers, input, shared, {}});
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_directory.path()))
      if (entry.path().filename().string().rfind("mi_matrix_", 0) == 0)
        names.insert(entry.path().stem().string().substr(10));
    return names;
  };
  options chosen;
  chosen.pictures = 3;
  CHECK(drawn(chosen, 12) ==
        std::set<std::string>{"0.attention", "0.fc1", "5.attention", "5.fc1", "11.attention", "11.fc1"});
  chosen.pictures = 1;
  chosen.minlayer = 2;
  CHECK(drawn(chosen, 4) == std::set<std::string>{"2.attention", "2.fc1"});
  chosen.prune_only = "fc2";
  CHECK(drawn(chosen, 4).contains("2.fc2"));
  chosen.pictures = 0;
  CHECK(drawn(chosen, 4).empty());
}

TEST_CASE("a folder that cannot be written is refused at once", "[report]") {
  const temporary_directory directory;
  const auto refusal = [](const fs::path& folder) {
    return message_of<input_error>([&] { report_folder(folder, options{}); });
  };
  write_text(directory / "file", "");
  CHECK(refusal(directory / "file").find((directory / "file").string()) != std::string::npos);
  CHECK(refusal(directory / "file" / "below").find("file") != std::string::npos);
  if (::geteuid() == 0) return;  // root may write anywhere
  fs::create_directory(directory / "closed");
  fs::permissions(directory / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(refusal(directory / "closed").find("closed") != std::string::npos);
}

TEST_CASE("tables line up and escape", "[report]") {
  const table_cells cells = {{"method", "ppl a|b"}, {"mi", "1.5"}};
  CHECK(plain_table(cells) == "method  ppl a|b\n------  -------\nmi          1.5\n");
  CHECK(markdown_table(cells) == "| method | ppl a\\|b |\n|---|---:|\n| mi | 1.5 |\n");
  CHECK(fixed(2.345, 1) == "2.3");
  CHECK(fixed(std::numeric_limits<double>::infinity(), 2) == "inf");
  CHECK(fixed(std::numeric_limits<double>::quiet_NaN(), 2) == "nan");
  CHECK(fixed(1e300, 2) == "1e+300");
}

TEST_CASE("perplexities that are not finite become null", "[report]") {
  run_report run;
  auto& method = run.methods.emplace_back();
  method.texts.push_back({"t", std::numeric_limits<double>::infinity()});
  const auto parsed = nlohmann::json::parse(report_as_json(run).dump());
  CHECK(parsed.at("methods").at(0).at("perplexity").at("t").is_null());
}

TEST_CASE("the colour map is viridis", "[report]") {
  // matplotlib 3: viridis(0), viridis(0.5), viridis(1), times 255
  CHECK(same(map_colour(0), {68, 1, 84}));
  CHECK(same(map_colour(0.5), {33, 145, 140}));
  CHECK(same(map_colour(1), {253, 231, 37}));
  CHECK(same(map_colour(-1), map_colour(0)));
  CHECK(same(map_colour(7), map_colour(1)));
  CHECK(same(map_colour(std::numeric_limits<double>::quiet_NaN()), map_colour(0)));
  double last = -1;  // its lightness rises
  for (int i = 0; i <= 100; ++i) {
    const auto c = map_colour(i / 100.0);
    const double light = 0.2126 * c.red + 0.7152 * c.green + 0.0722 * c.blue;
    CHECK(light > last - 0.5);
    last = light;
  }
}

TEST_CASE("a canvas cuts off what lies outside", "[report]") {
  canvas picture(20, 10);
  picture.rectangle(-5, -5, 8, 8, black);
  picture.rectangle(15, 8, 100, 100, grey);
  picture.text(-3, 2, "outside \xC3\xA9", text_align::left, black, 4);
  const std::vector<point> line = {{-10, 5}, {30, 5}};
  picture.polyline(line, 2, black);
  CHECK(same(picture.at(0, 0), black));
  CHECK(same(picture.at(19, 9), grey));
  CHECK_THROWS_AS(picture.write_png("/nowhere/at/all.png"), input_error);
}

TEST_CASE("the information of two blocks is drawn as two blocks when sorted", "[report]") {
  // Columns alternate between two groups: a chessboard in natural order, two squares when sorted.
  constexpr std::int64_t c = 24;
  miq::matrix<float> mi(c, c);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < c; ++i) {
    labels.push_back(static_cast<std::int32_t>(i % 2));
    for (std::int64_t j = 0; j < c; ++j) mi(i, j) = i == j ? 0.0F : i % 2 == j % 2 ? 1.0F : 0.01F;
  }
  const auto picture = draw_information("test", mi, miq::grouping::partition(labels));
  // Bright pixels of the right half of the picture: the sorted panel has them in two squares.
  const auto bright = map_colour(1);
  std::int64_t left = 0;
  std::int64_t changes_left = 0;
  std::int64_t changes_right = 0;
  std::int64_t right = 0;
  for (std::int64_t y = 0; y < picture.height(); ++y)
    for (std::int64_t x = 1; x < picture.width(); ++x) {
      const bool now = same(picture.at(x, y), bright);
      const bool before = same(picture.at(x - 1, y), bright);
      (x < picture.width() / 2 - 20 ? left : right) += now ? 1 : 0;
      (x < picture.width() / 2 - 20 ? changes_left : changes_right) += now != before ? 1 : 0;
    }
  CHECK(left > 10000);
  CHECK(right > 10000);
  CHECK(changes_left > 4 * changes_right);
}
