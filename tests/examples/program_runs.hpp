// tests/examples/program_runs.hpp: programs as users start them: arguments, streams, exit codes.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "support.hpp"
#include "test_support/catch.hpp"

namespace miq_test {

struct ended {
  int code = -1;  ///< exit code, or 128 + signal
  std::string out;
  std::string err;
};

/// Starts a program; the streams go to files in `directory`.
inline pid_t start_program(const std::string& program, const std::vector<std::string>& arguments,
                           const temporary_directory& directory) {
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), program);
  const auto out = (directory / "stdout").string();
  const auto err = (directory / "stderr").string();
  write_text(out, "");  // so that they can be read at once
  write_text(err, "");
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen(out.c_str(), "w", stdout) == nullptr || std::freopen(err.c_str(), "w", stderr) == nullptr)
      ::_exit(126);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  return child;
}

inline ended wait_for(pid_t child, const temporary_directory& directory) {
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(directory / "stdout"),
          read_text(directory / "stderr")};
}

inline ended run_program(const std::string& program, const std::vector<std::string>& arguments) {
  const temporary_directory directory;
  return wait_for(start_program(program, arguments, directory), directory);
}

}  // namespace miq_test
