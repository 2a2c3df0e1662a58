// The body that sums the information inside and around groups, against sums in long double and the host.
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/random.hpp>
#include <miq/grouping/detail/quality/body.hpp>
#include <miq/grouping/detail/quality/information_of_sums.hpp>
#include <miq/grouping/quality.hpp>

#include "test_support/catch.hpp"
#include "test_support/lanes.hpp"

TEST_CASE("sums inside and around groups, row by row", "[grouping][body]") {
  const auto n = GENERATE(1, 2, 7, 61, 256, 300);
  const auto lanes = GENERATE(0, 1, 8);
  if (lanes > 1 && n > 61) return;
  miq::random_stream random(miq_test::seed());
  const auto k = 1 + random.below(static_cast<std::uint64_t>(n));
  miq::matrix<float> mi(n, n + 2);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i; j < n; ++j) {
      mi(i, j) = static_cast<float>(random.normal());
      mi(j, i) = mi(i, j);
    }
  std::vector<std::int32_t> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = static_cast<std::int32_t>(i < k ? i : random.below(k));  // no group is empty
  std::vector<double> sums(static_cast<std::size_t>(2 * n), -7);
  const miq::grouping::detail::group_sums_body body{n, mi.data(), mi.columns(), labels.data(), sums.data()};
  miq_test::run_on_host(lanes, body);

  std::vector<double> inside(static_cast<std::size_t>(k)), around(inside.size());
  for (std::int64_t i = 0; i < n; ++i) {
    long double in = 0, out = 0, size = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const bool same = labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)];
      (same ? in : out) += static_cast<long double>(mi(i, j));
      size += std::abs(static_cast<long double>(mi(i, j)));
    }
    const auto at = static_cast<std::size_t>(i);
    const auto margin = static_cast<double>(size) * 0x1p-52 * static_cast<double>(n);
    REQUIRE(sums[2 * at] == Approx(static_cast<double>(in)).epsilon(0).margin(margin));
    REQUIRE(sums[2 * at + 1] == Approx(static_cast<double>(out)).epsilon(0).margin(margin));
    inside[static_cast<std::size_t>(labels[at])] += sums[2 * at];
    around[static_cast<std::size_t>(labels[at])] += sums[2 * at + 1];
  }
  const miq::grouping::partition groups(labels);
  const auto got = miq::grouping::detail::information_of_sums(groups, inside, around);
  const auto host = miq::grouping::describe_groups(
      miq::host_executor({.threads = 1}), miq::matrix_view<const float>(mi.data(), n, n, mi.columns()), groups);
  for (std::size_t g = 0; g < inside.size(); ++g) {
    CHECK(got.within[g] == Approx(host.within[g]).margin(1e-12));
    CHECK(got.between[g] == Approx(host.between[g]).margin(1e-12));
  }
  CHECK(got.kept == Approx(host.kept).margin(1e-9));
  CHECK(got.total == Approx(host.total).margin(1e-9));
}
