// main.cpp: the program mutual_information: command line, progress, results.
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <utility>

#include "common/errors.hpp"
#include "common/program.hpp"
#include "common/progress_line.hpp"
#include "common/whole_file.hpp"
#include "mutual_information/report/results.hpp"

namespace {

void run(const mutual_information::options& chosen) {
  using namespace mutual_information;
  using clock = std::chrono::steady_clock;
  examples::make_writable_folder(chosen.out, "the folder of the results");
  const auto start = clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(clock::now() - start).count(); };
  result outcome;
  outcome.chosen = chosen;
  {
    std::optional<examples::progress_line> display;
    if (!chosen.quiet)
      display.emplace(std::cerr, examples::style_of_terminal(STDERR_FILENO), examples::terminal_columns());
    const miq::progress_callback progress = [&](std::string_view phase, double fraction) {
      if (display) display->show(phase, "", fraction, elapsed());
      return !examples::interrupt_asked;
    };
    const miq::host_executor exec({.threads = chosen.threads});
    outcome.threads = exec.threads();
    progress("reading", 0);
    outcome.input = read_samples(chosen.input, chosen.max_tokens, chosen.seed);
    std::optional<class_labels> labels;
    if (!chosen.labels.empty()) labels = read_labels(chosen.labels, outcome.input);
    outcome.found = analyse(exec, outcome.input, std::move(labels), chosen, progress);
    outcome.seconds = elapsed();
    progress("writing", 0.99);
    write_results(outcome);
  }
  if (chosen.quiet) return;
  std::cout << summary(outcome) << std::flush;
  if (!std::cout) throw examples::input_error("the table cannot be written to the standard output");
}

}  // namespace

int main(int argc, char** argv) {
  return examples::run_program("mutual_information", [&] {
    const auto line = mutual_information::parse_command_line(argc, argv);
    if (line.text.empty())
      run(line.chosen);
    else
      std::cout << line.text;
  });
}
