// The selection of the smallest keys against std::nth_element.
#include <algorithm>
#include <tuple>
#include <vector>

#include <miq/core/random.hpp>
#include <miq/obs/detail/selection/host.hpp>

#include "test_support/catch.hpp"

namespace {

using miq::obs::detail::key_tiles;
using miq::obs::detail::select_bins;

constexpr std::int64_t tile = 32;

std::size_t place(std::int64_t r, std::int64_t c, std::int64_t columns) {
  return static_cast<std::size_t>((r / tile * columns + c) * tile + r % tile);
}

struct selection {
  std::vector<std::int32_t> keys;  // as left behind
  std::int32_t limit = 0;
};

selection select(const std::vector<std::int32_t>& keys, std::int64_t rows, std::int64_t columns, std::int64_t count,
                 int threads) {
  selection result{keys, 0};
  const key_tiles all{result.keys.data(), tile, rows, columns};
  const std::int64_t per_task = 3;
  std::vector<std::int32_t> histograms(static_cast<std::size_t>((all.tiles() + 2) / per_task * select_bins));
  for (std::int64_t t = 0; t < all.tiles(); ++t)
    miq::obs::detail::count_first_digits(all, t, histograms.data() + t / per_task * select_bins);
  std::vector<std::int32_t> scratch(
      static_cast<std::size_t>(miq::obs::detail::select_scratch(all.tiles(), columns, tile)), -1);
  const miq::host_executor exec({.threads = threads});
  result.limit = miq::obs::detail::smallest_keys(exec, all, count, histograms.data(), per_task, scratch.data());
  return result;
}

}  // namespace

TEST_CASE("exactly the smallest keys are at most the limit, ties by row, then column", "[obs]") {
  miq::random_stream random(miq_test::seed());
  const auto rows = GENERATE(std::int64_t{1}, 2, 31, 255, 256, 257, 700);
  const auto columns = GENERATE(std::int64_t{1}, 3, 8, 9, 128);
  const auto distinct = GENERATE(std::uint64_t{1}, 3, 40, 0x7F800001);
  const auto padded = (rows + tile - 1) / tile * tile;
  std::vector<std::int32_t> keys(static_cast<std::size_t>(padded * columns));
  // Few distinct values make ties; they are spread so that they differ in high, middle or low digits.
  const auto spread = GENERATE(1, 700, 1500000);
  for (auto& key : keys) {
    const auto value = random.below(distinct);
    key = static_cast<std::int32_t>(distinct > 1000 ? value : value * static_cast<std::uint64_t>(spread));
  }
  const auto total = rows * columns;
  for (const auto count : {std::int64_t{0}, std::int64_t{1}, total / 3, total / 2, total - 1, total}) {
    if (count < 0 || count > total) continue;
    // The expected set: the first `count` by (key, row, column).
    std::vector<std::tuple<std::int32_t, std::int64_t, std::int64_t>> order;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c) order.emplace_back(keys[place(r, c, columns)], r, c);
    std::nth_element(order.begin(), order.begin() + count, order.end());
    const auto got = select(keys, rows, columns, count, 2);
    std::int64_t wrong = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto [key, r, c] = order[i];
      const bool taken = got.keys[place(r, c, columns)] <= got.limit;
      wrong += taken != (static_cast<std::int64_t>(i) < count) ? 1 : 0;
    }
    INFO("rows " << rows << " columns " << columns << " distinct " << distinct << " count " << count);
    CHECK(wrong == 0);
    const auto alone = select(keys, rows, columns, count, 1);
    CHECK(alone.keys == got.keys);
    CHECK(alone.limit == got.limit);
  }
}
