#include "common/program.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <iostream>
#include <miq/core/error.hpp>
#include <new>

namespace examples {

std::atomic<bool> interrupt_asked = false;
static_assert(std::atomic<bool>::is_always_lock_free, "is written by a signal handler");

namespace {

constexpr int failed = 1;
constexpr int interrupted = 130;

void handle_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupt_asked = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int run_program(const char* name, const std::function<void()>& work) {
  handle_interrupts();
  try {
    work();
    return 0;
  } catch (const miq::cancelled&) {
    std::cerr << name << ": interrupted\n";
    return interrupted;
  } catch (const std::bad_alloc&) {
    std::cerr << name << ": error: out of memory\n";
  } catch (const std::exception& failure) {
    std::cerr << name << ": error: " << failure.what() << '\n';
  }
  return failed;
}

}  // namespace examples
