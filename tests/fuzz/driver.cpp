// Runs a fuzz target without libFuzzer: its seeds, then changed copies of them, a fixed number from a fixed seed.
// With arguments: the files that are named, once each (to repeat what libFuzzer found); `--runs N` and `--seed N`
// change the run; `--write-seeds DIR` writes the seeds as a corpus for libFuzzer.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>

#include <miq/core/random.hpp>

#include "fuzz/target.hpp"

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

/// A number as a file may hold it: small, or at an edge of its type.
std::uint64_t edge(miq::random_stream& random) {
  const std::uint64_t edges[] = {0,
                                 1,
                                 2,
                                 7,
                                 8,
                                 0x7F,
                                 0x80,
                                 0xFF,
                                 0x7FFF,
                                 0xFFFF,
                                 0x7FFFFFFF,
                                 0x80000000,
                                 0xFFFFFFFF,
                                 std::uint64_t{1} << 62,
                                 ~std::uint64_t{0} >> 1,
                                 ~std::uint64_t{0}};
  return edges[random.below(std::size(edges))];
}

/// One to eight changes: bytes, bits, numbers, parts left out, repeated, or taken from another seed, an end cut off.
std::string changed(std::string text, const std::vector<std::string>& seeds, miq::random_stream& random) {
  for (auto count = 1 + random.below(8); count > 0; --count) {
    if (text.empty()) return text;
    // Headers come first and are where most can go wrong.
    const auto reach = random.below(2) == 0 ? std::min<std::size_t>(text.size(), 256) : text.size();
    const auto place = random.below(reach);
    const auto length = 1 + random.below(std::min<std::size_t>(text.size() - place, 16));
    switch (random.below(8)) {
      case 0:
        text[place] = static_cast<char>(random());
        break;
      case 1:
        text[place] = static_cast<char>(text[place] ^ (1 << random.below(8)));
        break;
      case 2: {
        const auto number = edge(random);
        std::memcpy(&text[place], &number,
                    std::min<std::size_t>({8, text.size() - place, std::size_t{1} << random.below(4)}));
        break;
      }
      case 3:
        text.erase(place, length);
        break;
      case 4:
        text.insert(place, text.substr(place, length));
        break;
      case 5: {
        const auto& other = seeds[random.below(seeds.size())];
        const auto from = random.below(other.size());
        text.replace(place, length, other, from, 1 + random.below(64));
        break;
      }
      case 6:
        text[place] = "0123456789\"'{}[]()<>:,;.-+eE\\ \n\t"[random.below(33)];
        break;
      default:
        if (random.below(8) == 0) text.resize(place);
        break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::uint64_t runs = 4000;
    std::uint64_t seed = 1;
    std::string folder;
    std::vector<std::string> files;
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      const bool has_value = i + 1 < argc;
      if (argument == "--runs" && has_value)
        runs = std::strtoull(argv[++i], nullptr, 10);
      else if (argument == "--seed" && has_value)
        seed = std::strtoull(argv[++i], nullptr, 10);
      else if (argument == "--write-seeds" && has_value)
        folder = argv[++i];
      else
        files.push_back(argument);
    }
    for (const auto& file : files) {
      std::ifstream stream(file, std::ios::binary);
      run({std::istreambuf_iterator<char>(stream), {}});
    }
    if (!files.empty()) return 0;
    const auto seeds = miq_fuzz::seeds();
    for (std::size_t i = 0; i < seeds.size() && !folder.empty(); ++i)
      std::ofstream(folder + "/seed-" + std::to_string(i), std::ios::binary) << seeds[i];
    run("");
    for (const auto& input : seeds) run(input);
    miq::random_stream random(seed);
    for (std::uint64_t i = 0; i < runs; ++i) {
      const auto input = changed(seeds[random.below(seeds.size())], seeds, random);
      // What kills the process is left behind, to be run again by name.
      if (const char* keep = std::getenv("MIQ_FUZZ_KEEP"); keep != nullptr)
        std::ofstream(keep, std::ios::binary) << input;
      run(input);
    }
    std::printf("%zu seeds, %llu changed inputs\n", seeds.size(), static_cast<unsigned long long>(runs));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "a reader threw what it should not: %s\n", failure.what());
    return 1;
  }
}
