#include "compress_opt/pipeline/control_groups.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include <miq/core/random.hpp>

namespace compress_opt {

miq::grouping::partition control_groups(const miq::prepared_inputs& shared, grouping how,
                                        const miq::calibration::statistics_view<>& seen, std::uint64_t seed) {
  const auto& like = shared.groups;
  const auto columns = like.columns();
  std::vector<std::int64_t> order(static_cast<std::size_t>(columns));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (how == grouping::random) {
    miq::random_stream random(seed);
    for (std::int64_t c = columns - 1; c > 0; --c)
      std::swap(order[static_cast<std::size_t>(c)],
                order[static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(c + 1)))]);
  } else if (how == grouping::hessian) {
    const auto moment = [&](std::int64_t c) { return seen.covariance(c, c) + seen.mean[c] * seen.mean[c]; };
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return moment(a) > moment(b); });
  } else if (how == grouping::cost) {
    std::vector<float> diagonal(static_cast<std::size_t>(columns));
    for (std::int64_t place = 0; place < columns; ++place) {
      const auto column = shared.order.empty() ? place : shared.order[static_cast<std::size_t>(place)];
      diagonal[static_cast<std::size_t>(column)] = shared.upper(place, place);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return diagonal[static_cast<std::size_t>(a)] < diagonal[static_cast<std::size_t>(b)];
    });
  }
  std::vector<std::int32_t> labels(static_cast<std::size_t>(columns));
  std::size_t next = 0;
  for (std::int64_t g = 0; g < like.groups(); ++g)
    for (std::int64_t i = 0; i < like.size(g); ++i)
      labels[static_cast<std::size_t>(order[next++])] = static_cast<std::int32_t>(g);
  return miq::grouping::partition(std::move(labels));
}

}  // namespace compress_opt
