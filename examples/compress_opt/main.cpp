// main.cpp: the program compress_opt: command line, progress, results.
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <optional>

#include "common/program.hpp"
#include "compress_opt/errors.hpp"
#include "compress_opt/options.hpp"
#include "compress_opt/pipeline/compression.hpp"
#include "compress_opt/pipeline/progress_display.hpp"
#include "compress_opt/report/report_folder.hpp"
#include "compress_opt/report/table.hpp"

namespace {

void run(const compress_opt::options& chosen) {
  using namespace compress_opt;
  std::optional<report_folder> folder;
  if (!chosen.report.empty()) folder.emplace(chosen.report, chosen);
  run_report result;
  {
    progress_display display(std::cerr, style_of_terminal(STDERR_FILENO), terminal_columns());
    const auto start = std::chrono::steady_clock::now();
    run_hooks hooks;
    hooks.progress = [&](const run_state& state) {
      display.show(state, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      return !interrupt_asked;
    };
    if (folder) hooks.grouped = [&](const grouped_input& input) { folder->draw(input); };
    result = run_compression(chosen, hooks);
  }
  std::cout << plain_table(result_cells(result)) << std::flush;
  if (folder) folder->write(result);
  if (!std::cout) throw compress_opt::input_error("the table cannot be written to the standard output");
}

}  // namespace

int main(int argc, char** argv) {
  return examples::run_program("compress_opt", [&] {
    const auto line = compress_opt::parse_command_line(argc, argv);
    if (line.text.empty())
      run(line.chosen);
    else
      std::cout << line.text;
  });
}
