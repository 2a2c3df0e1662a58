// What the kernel bodies of this folder share: how weights are read, sums and searches whose result does not depend on
// the number of lanes.
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <miq/core/group.hpp>
#include <miq/core/numeric_types.hpp>

namespace miq::quantization::detail {

MIQ_HOST_DEVICE inline bool is_finite(float value) {
  return (miq::detail::bits_as<std::uint32_t>(value) & 0x7F800000U) != 0x7F800000U;
}

MIQ_HOST_DEVICE constexpr std::int64_t divided_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// A layer's weights and mask as kernels read them.
template <class T>
struct masked_weights {
  const T* weights = nullptr;  // [rows, columns]
  std::int64_t leading = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const std::uint8_t* kept = nullptr;  // [rows, columns] or null: all
  std::int64_t kept_leading = 0;

  /// A weight that counts (kept and finite), or 0.
  struct weight {
    float value;
    bool counts;
    bool finite;
  };
  MIQ_HOST_DEVICE weight at(std::int64_t r, std::int64_t c) const {
    const auto value = static_cast<float>(weights[r * leading + c]);
    const bool finite = is_finite(value);
    const bool counts = finite && (kept == nullptr || kept[r * kept_leading + c] != 0);
    return {counts ? value : 0.0F, counts, finite};
  }
};

/// `*slot = max(*slot, value)` while other blocks do the same. For unsigned integers, and so for the bits of floats
/// that are not negative: whatever the order, the result is the same.
template <class Word>
MIQ_HOST_DEVICE void raise_atomically(Word* slot, Word value) {
  static_assert(std::is_unsigned_v<Word> && (sizeof(Word) == 4 || sizeof(Word) == 8));
#if defined(__CUDA_ARCH__)
  using word = std::conditional_t<sizeof(Word) == 8, unsigned long long, unsigned int>;
  // Most values raise nothing; reading is cheaper than an atomic that changes nothing.
  if (value > *static_cast<const volatile Word*>(slot))
    atomicMax(reinterpret_cast<word*>(slot), static_cast<word>(value));
#else
  const std::atomic_ref<Word> shared(*slot);
  Word seen = shared.load(std::memory_order_relaxed);
  while (seen < value && !shared.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
#endif
}

/// Sums and searches go over this many slots whatever the number of lanes, slot s taking the terms s, s + slots,
/// s + 2 slots...; the slots are then joined in pairs.
inline constexpr std::int64_t sum_slots = 128;

/// The sum of `term(0)` ... `term(count - 1)`, in every lane. `slots` is scratch for `sum_slots` doubles, free again
/// after the call. Synchronises.
template <class Group, class Term>
MIQ_HOST_DEVICE double sum_of_terms(const Group& group, std::int64_t count, double* slots, const Term& term) {
  for (std::int64_t s = group.rank(); s < sum_slots; s += group.size()) {
    double sum = 0;
    for (auto i = s; i < count; i += sum_slots) sum += term(i);
    slots[s] = sum;
  }
  group.sync();
  for (std::int64_t distance = 1; distance < sum_slots; distance *= 2) {
    for (std::int64_t s = 2 * distance * group.rank(); s + distance < sum_slots; s += 2 * distance * group.size())
      slots[s] += slots[s + distance];
    group.sync();
  }
  const double total = slots[0];
  group.sync();
  return total;
}

/// A candidate and its error. Less error is better, then the smaller index; an error that is NaN is never better.
struct candidate_error {
  static constexpr std::int32_t none = 0x7FFFFFFF;
  double error = __builtin_inf();
  std::int32_t index = none;

  MIQ_HOST_DEVICE void consider(double other, std::int32_t at) {
    if (other < error || (other == error && at < index)) {
      error = other;
      index = at;
    }
  }
};

/// The best of the lanes' candidates, in every lane. `slots` is scratch for one per lane, free again after the call.
/// Synchronises.
template <class Group>
MIQ_HOST_DEVICE candidate_error best_over_lanes(const Group& group, const candidate_error& mine,
                                                candidate_error* slots) {
  const std::int32_t rank = group.rank();
  const std::int32_t size = group.size();
  slots[rank] = mine;
  group.sync();
  for (std::int32_t distance = 1; distance < size; distance *= 2) {
    if (rank % (2 * distance) == 0 && rank + distance < size)
      slots[rank].consider(slots[rank + distance].error, slots[rank + distance].index);
    group.sync();
  }
  const candidate_error best = slots[0];
  group.sync();
  return best;
}

/// Fills an array with one value.
template <class T>
struct fill_body {
  static constexpr int lanes = 256;
  static constexpr std::int64_t tile = 1024;
  T* values = nullptr;
  std::int64_t count = 0;
  T value{};

  std::int64_t blocks() const { return divided_up(count, tile); }
  std::int64_t scratch_bytes() const { return 0; }
  template <execution_group Group>
  MIQ_HOST_DEVICE void operator()(const Group& group, std::int64_t block, std::byte*) const {
    const auto last = (block + 1) * tile < count ? (block + 1) * tile : count;
    for (auto i = block * tile + group.rank(); i < last; i += group.size()) values[i] = value;
  }
};

}  // namespace miq::quantization::detail
