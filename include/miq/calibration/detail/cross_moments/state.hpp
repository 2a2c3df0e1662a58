// What cross_moments holds between two batches.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include <miq/calibration/detail/accumulator/state.hpp>
#include <miq/core/matrix.hpp>

namespace miq::calibration::detail {

/// One of the two streams.
struct cross_stream {
  explicit cross_stream(std::pmr::memory_resource* resource) : sum(resource), buffer(resource) {}

  std::int64_t columns = 0;
  std::pmr::vector<double> sum;    // [columns] over the closed tiles, empty before the first
  std::pmr::vector<float> buffer;  // [tokens of the incomplete tile, columns] at least
};

struct cross_state {
  explicit cross_state(std::pmr::memory_resource* from) : resource(from), first(from), second(from) {}

  std::pmr::memory_resource* resource;
  bool difference = false;
  cross_stream first, second;
  std::int64_t closed = 0;    // tokens of the closed tiles
  std::int64_t buffered = 0;  // tokens of the incomplete tile
  matrix<double> products;    // [blocks of first * blocks of second, block_columns^2], around the means of the closed

  std::int64_t tokens() const { return closed + buffered; }
  std::int64_t blocks() const { return blocks_of(first.columns) * blocks_of(second.columns); }
  double* block(std::int64_t place) { return products.data() + place * products.columns(); }
  const double* block(std::int64_t place) const { return products.data() + place * products.columns(); }

  /// Makes the memory ready for the first tile.
  void allocate() {
    if (!products.empty()) return;
    first.sum.resize(static_cast<std::size_t>(first.columns));
    second.sum.resize(static_cast<std::size_t>(second.columns));
    products = matrix<double>(blocks(), block_columns * block_columns, resource);
  }
};

}  // namespace miq::calibration::detail
