// The program mutual_information as a user meets it: its files against NumPy's and SciPy's values, errors, exit codes.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <set>

#include "mutual_information/files/npy.hpp"
#include "png_size.hpp"
#include "program_runs.hpp"

using namespace mutual_information;
using namespace miq_test;

namespace {

fs::path table_file(const std::string& name) { return test_data() / "tables" / name; }

ended run(const std::vector<std::string>& arguments) { return run_program(MIQ_MUTUAL_INFORMATION, arguments); }

npy_array array_in(const fs::path& file) { return npy_array(examples::mapped_file(file)); }

/// Channels in blocks that share a signal, as an array of float.
void write_blocks(const fs::path& file, std::int64_t tokens, std::int64_t blocks, std::int64_t each,
                  std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> values(tokens, blocks * each);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t b = 0; b < blocks; ++b) {
      const double shared = random.normal();
      for (std::int64_t c = 0; c < each; ++c) values(t, b * each + c) = static_cast<float>(shared + random.normal());
    }
  write_npy(file, std::as_const(values).view());
}

}  // namespace

TEST_CASE("the irises: information, tree and groups are those of NumPy and SciPy", "[program]") {
  const temporary_directory directory;
  const auto out = directory / "results";
  const auto end = run({table_file("iris.csv").string(), "--out", out.string(), "--grouping", "hierarchical",
                        "--n_groups", "2", "--normalisation", "information_coefficient", "--permutations", "19"});
  INFO(end.err);
  REQUIRE(end.code == 0);
  CHECK(end.err.find('\x1b') == std::string::npos);  // not a terminal: plain lines
  CHECK_THAT(end.out, contains("petal length") && contains("1.3094") && contains("150 tokens, 4 channels"));

  const auto expected = read_json(table_file("iris-expected.json"));
  const auto mi = array_in(out / "mi.npy");
  CHECK(mi.type() == "<f4");
  CHECK_FALSE(mi.fortran_order());
  REQUIRE(std::vector(mi.shape().begin(), mi.shape().end()) == std::vector<std::int64_t>{4, 4});
  const auto normalised = array_in(out / "normalised.npy");
  const auto p_values = array_in(out / "p_values.npy");
  const auto bias = array_in(out / "bias.npy");
  // Covariances are summed in float within tiles: 2e-6 of rho, which 1 / (1 - rho^2) = 13.7 makes 3e-5 of the
  // information at most.
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j) {
      const auto place = static_cast<std::int64_t>(4 * i + j);
      const auto value = i == j ? 0 : expected["mi"][i][j].get<double>();
      CHECK(mi[place] == Approx(value).epsilon(3e-5).margin(1e-6));
      CHECK(normalised[place] == Approx(std::sqrt(1 - std::exp(-2 * value))).epsilon(1e-4).margin(1e-5));
      CHECK((p_values[place] >= 1.0 / 20 - 1e-6 && p_values[place] <= 1));
      CHECK((bias[place] >= 0 && bias[place] < 0.05));
    }
  CHECK(p_values[4 * 2 + 3] == Approx(1.0 / 20));

  const auto linkage = array_in(out / "linkage.npy");
  CHECK(linkage.type() == "<f8");
  REQUIRE(std::vector(linkage.shape().begin(), linkage.shape().end()) == std::vector<std::int64_t>{3, 4});
  for (std::size_t m = 0; m < 3; ++m)
    for (std::size_t k = 0; k < 4; ++k)
      CHECK(linkage[static_cast<std::int64_t>(4 * m + k)] ==
            Approx(expected["linkage"][m][k].get<double>()).epsilon(5e-5));

  const auto report = read_json(out / "groups.json");
  CHECK(report.at("names") == expected.at("names"));
  CHECK(report.at("order") == expected.at("leaves"));
  // The cut of SciPy's tree into two: sepal width is the last to join.
  CHECK(report.at("labels") == nlohmann::json({0, 1, 0, 0}));
  REQUIRE(report.at("groups").size() == 2);
  CHECK(report["groups"][1].at("members") == nlohmann::json({1}));
  CHECK(report["groups"][1].at("names") == nlohmann::json({"sepal width"}));
  CHECK(report["groups"][0].at("size") == 3);
  const double within =
      (expected["mi"][0][2].get<double>() + expected["mi"][0][3].get<double>() + expected["mi"][2][3].get<double>()) /
      3;
  CHECK(report["groups"][0].at("mean_mi_within").get<double>() == Approx(within).epsilon(3e-5));
  CHECK(report.at("mean_mi_within").get<double>() == Approx(within).epsilon(3e-5));
  CHECK(report.at("entropies").at("kind") == "differential");
  CHECK(report.at("estimator").at("name") == "correlation");
  CHECK(report.at("input").at("tokens_used") == 150);
  CHECK(report.at("constant_channels").empty());
  std::set<std::string> there;
  for (const auto& entry : fs::directory_iterator(out)) there.insert(entry.path().filename().string());
  CHECK(there == report.at("files").get<std::set<std::string>>());
  for (const auto* picture : {"heat_map.png", "dendrogram.png"}) {
    const auto [width, height] = png_size(read_text(out / picture));
    CHECK((width > 400 && width < 3000));
    CHECK((height > 400 && height < 3000));
  }
}

TEST_CASE("every estimator and every grouping finds the blocks", "[program]") {
  const temporary_directory directory;
  write_blocks(directory / "blocks.npy", 600, 3, 4, seed());
  const std::vector<std::vector<std::string>> ways = {
      {},
      {"--estimator", "rank", "--grouping", "hierarchical"},
      {"--estimator", "histogram", "--bins", "8", "--edges", "frequency", "--normalisation", "arithmetic"},
      {"--estimator", "histogram", "--bins", "fd", "--correction", "miller-madow", "--n_groups", "3"},
      {"--estimator", "knn", "--neighbours", "5", "--ksg", "2", "--grouping", "kmeans"},
      {"--estimator", "kde", "--bandwidth", "scott", "--grouping", "hierarchical", "--linkage", "complete"},
      {"--balanced", "--n_groups", "3"},
      {"--balanced", "--grouping", "kmeans"}};
  for (const auto& way : ways) {
    auto arguments = way;
    arguments.insert(arguments.end(),
                     {(directory / "blocks.npy").string(), "--out", (directory / "out").string(), "--threads", "2"});
    const auto end = run(arguments);
    INFO((way.empty() ? "" : way[0] + " " + way[1]) << ": " << end.err);
    REQUIRE(end.code == 0);
    const auto report = read_json(directory / "out" / "groups.json");
    CHECK(report.at("labels") == nlohmann::json({0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}));
    CHECK(report.at("kept_share").get<double>() > 0.3);  // 18 of 66 pairs: 0.27 if the groups meant nothing
    CHECK(report.at("silhouette").get<double>() > 0);
    const auto& candidates = report.at("grouping").at("candidates");
    const bool chosen = std::find(way.begin(), way.end(), "--n_groups") == way.end();
    CHECK(candidates.size() == (chosen ? 10 : 0));  // 2 to 11
    for (const auto& candidate : candidates)
      CHECK(candidate.at("silhouette").get<double>() <= report.at("silhouette").get<double>());
  }
}

TEST_CASE("the number of threads changes nothing", "[program]") {
  const temporary_directory directory;
  write_blocks(directory / "blocks.npy", 300, 4, 5, seed());
  for (const auto* threads : {"1", "3"})
    REQUIRE(run({(directory / "blocks.npy").string(), "--estimator", "knn", "--permutations", "9", "--threads", threads,
                 "--out", (directory / threads).string(), "--quiet"})
                .code == 0);
  for (const auto* name : {"mi.npy", "p_values.npy", "bias.npy", "linkage.npy", "heat_map.png", "dendrogram.png"})
    CHECK(read_text(directory.path() / "1" / name) == read_text(directory.path() / "3" / name));
}

TEST_CASE("channels are compared with class labels", "[program]") {
  const temporary_directory directory;
  const auto end = run({table_file("iris.csv").string(), "--labels", table_file("iris-classes.csv").string(), "--out",
                        (directory / "out").string()});
  INFO(end.err);
  REQUIRE(end.code == 0);
  CHECK_THAT(end.out, contains("with the label"));
  const auto labels = read_json(directory / "out/groups.json").at("class_labels");
  CHECK(labels.at("classes") == nlohmann::json({"setosa", "versicolor", "virginica"}));
  // scikit-learn's mutual_info_classif (1.9, mean of 20 seeds of its noise): ties make both uncertain.
  const std::vector<double> expected = {0.4886, 0.2627, 0.9888, 0.9860};
  for (std::size_t c = 0; c < 4; ++c) CHECK(labels.at("mi")[c].get<double>() == Approx(expected[c]).margin(0.06));
}

TEST_CASE("a sample of the tokens is used and said", "[program]") {
  const temporary_directory directory;
  const auto end = run(
      {table_file("iris.csv").string(), "--max-tokens", "120", "--seed", "5", "--out", (directory / "out").string()});
  REQUIRE(end.code == 0);
  CHECK_THAT(end.out, contains("120 of 150 tokens"));
  const auto report = read_json(directory / "out/groups.json");
  CHECK(report.at("input").at("tokens_used") == 120);
  CHECK(report.at("input").at("tokens") == 150);
}

TEST_CASE("small and odd tables have results too", "[program]") {
  const temporary_directory directory;
  const auto [text, groups] = GENERATE(table<std::string, std::size_t>(
      {{"1\n2\n4\n", 1}, {"1,2\n2,1\n4,8\n", 1}, {"a,b,c\n1,1,7\n2,5,7\n3,2,7\n", 2}, {"7,7,7\n7,7,7\n7,7,7\n", 2}}));
  write_text(directory / "table.csv", text);
  const auto end = run({(directory / "table.csv").string(), "--out", (directory / "out").string()});
  INFO(text << end.err);
  REQUIRE(end.code == 0);
  CHECK(read_json(directory / "out/groups.json").at("groups").size() == groups);
  CHECK(png_size(read_text(directory / "out/heat_map.png")).first > 200);
  CHECK(png_size(read_text(directory / "out/dendrogram.png")).first > 200);
}

TEST_CASE("errors are one line on stderr with exit code 1", "[program]") {
  const temporary_directory directory;
  const auto iris = table_file("iris.csv").string();
  const auto out = (directory / "out").string();
  write_text(directory / "ragged.csv", "a,b\n1,2\n3\n");
  write_text(directory / "one.csv", "a,b\n1,2\n");
  write_text(directory / "file", "");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "INPUT"},
      {{"/no/such/file.npy"}, "/no/such/file.npy"},
      {{iris, "--unknown"}, "--unknown"},
      {{(directory / "ragged.csv").string()}, "ragged.csv: line 3"},
      {{(directory / "one.csv").string()}, "2"},  // too few tokens, in the estimator's words
      {{iris, "--estimator", "mine"}, "--estimator"},
      {{iris, "--bins", "8"}, "--bins: has no effect with --estimator correlation"},
      {{iris, "--estimator", "histogram", "--bins", "1"}, "--bins"},
      {{iris, "--estimator", "histogram", "--bins", "fd", "--edges", "frequency"}, "--bins: fd"},
      {{iris, "--estimator", "knn", "--ksg", "3"}, "--ksg"},
      {{iris, "--estimator", "knn", "--normalisation", "arithmetic"}, "information_coefficient"},
      {{iris, "--grouping", "hierarchical", "--balanced"}, "--balanced"},
      {{iris, "--n_groups", "5"}, "--n_groups: must be at most the number of channels, 4"},
      {{iris, "--n_groups", "0"}, "--n_groups"},
      {{iris, "--max-tokens", "-3"}, "--max-tokens"},
      {{iris, "--permutations", "-1"}, "--permutations"},
      {{iris, "--seed", "-1"}, "--seed"},
      {{iris, "--threads", "5000"}, "--threads"},
      {{iris, "--labels", (directory / "ragged.csv").string()}, "ragged.csv"},
      {{iris, "--out", (directory / "file").string()}, "file"}};
  for (const auto& [given, words] : cases) {
    auto arguments = given;
    if (std::find(given.begin(), given.end(), "--out") == given.end())
      arguments.insert(arguments.end(), {"--out", out, "--quiet"});
    const auto end = run(arguments);
    INFO(words << ": " << end.err);
    CHECK(end.code == 1);
    CHECK(end.out.empty());
    CHECK_THAT(end.err, contains("mutual_information: error: ") && contains(words));
    CHECK(std::count(end.err.begin(), end.err.end(), '\n') <= 3);
    CHECK((!fs::exists(out) || fs::is_empty(out)));
  }
}

TEST_CASE("help is short, quiet is silent", "[program]") {
  const auto help = run({"--help"});
  CHECK(help.code == 0);
  CHECK(help.err.empty());
  CHECK(std::count(help.out.begin(), help.out.end(), '\n') < 60);
  const temporary_directory directory;
  const auto quiet = run({table_file("iris.csv").string(), "--quiet", "--out", (directory / "out").string()});
  CHECK(quiet.code == 0);
  CHECK(quiet.out.empty());
  CHECK(quiet.err.empty());
}

TEST_CASE("an interrupt ends the run with 130 and leaves no results", "[program]") {
  const temporary_directory directory;
  write_blocks(directory / "blocks.npy", 2000, 8, 8, 1);
  const auto child = start_program(MIQ_MUTUAL_INFORMATION,
                                   {(directory / "blocks.npy").string(), "--estimator", "knn", "--permutations",
                                    "100000", "--out", (directory / "out").string()},
                                   directory);
  for (int i = 0; i < 600 && read_text(directory / "stderr").find("permutations") == std::string::npos; ++i)
    ::usleep(50'000);
  ::kill(child, SIGINT);
  const auto end = wait_for(child, directory);
  INFO(end.err);
  CHECK(end.code == 130);
  CHECK(end.out.empty());
  CHECK(fs::is_empty(directory / "out"));
}
