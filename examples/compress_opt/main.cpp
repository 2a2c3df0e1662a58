// main.cpp: the program compress_opt.
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>

#include "compress_opt/options.hpp"
#include "compress_opt/pipeline/compression.hpp"
#include "compress_opt/report/table.hpp"

int main(int argc, char** argv) {
  using namespace compress_opt;
  try {
    const auto line = parse_command_line(argc, argv);
    if (!line.text.empty()) {
      std::cout << line.text;
      return 0;
    }
    const auto run = run_compression(line.chosen);
    std::cout << plain_table(result_cells(run));
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << "compress_opt: error: " << failure.what() << '\n';
  }
  return 1;
}
