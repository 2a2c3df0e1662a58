// common/program.hpp: a program's outer shell: interruption, exit codes, errors as messages.
#pragma once

#include <atomic>
#include <functional>

namespace examples {

/// Set by the first SIGINT or SIGTERM, once `run_program` has begun: work that takes long asks for it and stops with
/// `miq::cancelled`. The next signal ends the program.
extern std::atomic<bool> interrupt_asked;

/// The width of the terminal that the standard error goes to; 80 where it is not known.
int terminal_columns();

/// Calls `work` and returns the exit code: 0; 130 where it was interrupted (`miq::cancelled`), as shells count a
/// program that SIGINT ended; 1 for any other exception, whose message goes to the standard error behind `name`.
int run_program(const char* name, const std::function<void()>& work);

}  // namespace examples
