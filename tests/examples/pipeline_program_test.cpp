// The program compress_opt as a user meets it: exit codes, streams, interruption.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "pipeline_support.hpp"
#include "program_runs.hpp"
#include "test_support/catch.hpp"

using namespace miq_test;

namespace {

pid_t start(const std::vector<std::string>& arguments, const temporary_directory& directory) {
  return start_program(MIQ_COMPRESS_OPT, arguments, directory);
}

ended run(const std::vector<std::string>& arguments) { return run_program(MIQ_COMPRESS_OPT, arguments); }

}  // namespace

TEST_CASE("a run ends with a table and exit code 0", "[program]") {
  const temporary_directory directory;
  write_tiny_model(directory / "model", 3);
  const auto text = (demo_data() / "demo-text/evaluation.txt").string();
  const auto end =
      run({(directory / "model").string(), "--calibration", text, "--eval", "first=" + text, "--eval", "second=" + text,
           "--eval_windows", "4", "--nsamples", "8", "--report", (directory / "report").string()});
  INFO(end.err);
  CHECK(end.code == 0);
  for (const auto* word : {"method", "ppl first", "ppl second", "sparsity", "bits/weight", "dense", "enhanced"})
    CHECK(end.out.find(word) != std::string::npos);
  CHECK(end.err.find("mi, layer 2/2") != std::string::npos);  // not a terminal: plain lines
  CHECK(end.err.find('\x1b') == std::string::npos);
  CHECK(fs::exists(directory / "report/report.json"));
  CHECK(fs::exists(directory / "report/performance_report.md"));
  CHECK(fs::exists(directory / "report/mi_matrix_1.fc1.png"));
}

TEST_CASE("errors go to stderr with exit code 1", "[program]") {
  const auto end = GENERATE(std::vector<std::string>{"--unknown"},
                            std::vector<std::string>{"/no/such/model", "--no_eval", "--calibration", "x"},
                            std::vector<std::string>{"--report", "/proc/nothing/here"});
  const auto result = run(end);
  CHECK(result.code == 1);
  CHECK(result.out.empty());
  CHECK(result.err.find("compress_opt: error: ") != std::string::npos);
  CHECK(result.err.find(end.front() == "--report" ? "/proc/nothing" : end.front()) != std::string::npos);
}

TEST_CASE("help is short and goes to stdout", "[program]") {
  const auto end = run({"--help"});
  CHECK(end.code == 0);
  CHECK(end.err.empty());
  CHECK(std::count(end.out.begin(), end.out.end(), '\n') < 70);
}

TEST_CASE("an interrupt ends the run with 130 and leaves no checkpoint", "[program]") {
  const temporary_directory directory;
  const auto target = directory / "out";
  const auto child = start({"--methods", "mi", "--nsamples", "512", "--save", target.string()}, directory);
  // Until it works on a layer.
  for (int i = 0; i < 600 && read_text(directory / "stderr").find("layer") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ::kill(child, SIGINT);
  const auto end = wait_for(child, directory);
  INFO(end.err);
  CHECK(end.code == 130);
  CHECK(end.err.find("compress_opt: interrupted") != std::string::npos);
  CHECK_FALSE(fs::exists(target));
  for (const auto& entry : fs::directory_iterator(directory.path()))
    CHECK(entry.path().filename().string().rfind(".out", 0) != 0);  // no partial directory either
}
