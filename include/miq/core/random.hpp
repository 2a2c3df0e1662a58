// core/random.hpp: random numbers that are the same on every machine, compiler and thread count.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include <miq/core/version.hpp>

namespace miq {

/// A well mixed 64-bit hash of (seed, index): the index-th output of SplitMix64 started at `seed`
/// (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
MIQ_HOST_DEVICE constexpr std::uint64_t random_hash(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

/// A sequence of random numbers, fixed by its seed. Satisfies `std::uniform_random_bit_generator`, but has its own
/// distributions, since the standard's differ from one library to the next.
class random_stream {
 public:
  using result_type = std::uint64_t;

  MIQ_HOST_DEVICE explicit random_stream(std::uint64_t seed) : seed_(seed) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  MIQ_HOST_DEVICE result_type operator()() { return random_hash(seed_, index_++); }

  /// Leaves out the next `count` outputs.
  MIQ_HOST_DEVICE void skip(std::uint64_t count) { index_ += count; }

  /// Uniform on [0, 1), 53 bits.
  MIQ_HOST_DEVICE double uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

  /// Uniform on {0, ..., bound - 1}, without bias; `bound` at least 1.
  MIQ_HOST_DEVICE std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t unfair = (0 - bound) % bound;
    for (;;) {
      const auto bits = (*this)();
      if (bits >= unfair) return bits % bound;
    }
  }

  /// Standard normal (Box and Muller 1958).
  MIQ_HOST_DEVICE double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
};

}  // namespace miq
