// main.cpp: the program compress_opt: command line, interruption, progress, exit code.
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <miq/core/error.hpp>
#include <new>
#include <optional>

#include "compress_opt/errors.hpp"
#include "compress_opt/options.hpp"
#include "compress_opt/pipeline/compression.hpp"
#include "compress_opt/pipeline/progress_display.hpp"
#include "compress_opt/report/report_folder.hpp"
#include "compress_opt/report/table.hpp"

namespace {

constexpr int failed = 1;
constexpr int interrupted = 130;  // as shells count a program that SIGINT ended

std::atomic<bool> interrupt_asked = false;
static_assert(std::atomic<bool>::is_always_lock_free, "is written by a signal handler");

/// The first signal asks the run to stop; the next one ends the program.
void handle_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupt_asked = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

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
  handle_interrupts();
  try {
    const auto line = compress_opt::parse_command_line(argc, argv);
    if (line.text.empty())
      run(line.chosen);
    else
      std::cout << line.text;
    return 0;
  } catch (const miq::cancelled&) {
    std::cerr << "compress_opt: interrupted\n";
    return interrupted;
  } catch (const std::bad_alloc&) {
    std::cerr << "compress_opt: error: out of memory\n";
  } catch (const std::exception& failure) {
    std::cerr << "compress_opt: error: " << failure.what() << '\n';
  }
  return failed;
}
