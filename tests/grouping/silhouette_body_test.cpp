// Silhouette widths by the kernel body, against the definition and, to the bit, the host.
#include <miq/grouping/detail/silhouette/body.hpp>
#include <miq/grouping/silhouette.hpp>

#include "grouping/grouping_inputs.hpp"
#include "reference/grouping.hpp"
#include "test_support/host_machine.hpp"

namespace {

struct outcome {
  double mean;
  std::vector<double> widths;
};

outcome run(miq::matrix_view<const float> distance, const miq::grouping::partition& groups, std::int32_t lanes) {
  const miq::grouping::detail::silhouette_layout at(groups.columns(), groups.groups());
  const miq_test::nonsense_memory scratch(at.layout);
  outcome out;
  out.mean = miq::grouping::detail::silhouette_on_machine(miq_test::host_machine(lanes), distance.data(),
                                                          distance.leading(), groups, scratch.data(), out.widths);
  return out;
}

miq::grouping::partition random_groups(std::int64_t n, std::int64_t groups) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i)
    labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(
        i < groups ? i
                   : static_cast<std::int64_t>(miq::random_hash(miq_test::seed(), static_cast<std::uint64_t>(i)) %
                                               static_cast<std::uint64_t>(groups)));
  return miq::grouping::partition(std::move(labels));
}

void check(const miq::matrix<float>& distance, const miq::grouping::partition& groups, std::int32_t lanes) {
  const auto n = distance.rows();
  miq::matrix<float> padded(n, n + 3, std::nanf(""));
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(&distance(i, 0), n, &padded(i, 0));
  const auto out = run({padded.data(), n, n, n + 3}, groups, lanes);
  const auto expected =
      miq_test::reference::silhouette_widths(miq_test::reference::to_double(distance), groups.labels());
  double mean = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    REQUIRE(out.widths[i] == Approx(expected[i]).margin(1e-12));
    mean += expected[i] / static_cast<double>(n);
  }
  CHECK(out.mean == Approx(mean).margin(1e-12));
  std::vector<float> host(static_cast<std::size_t>(n));
  CHECK(out.mean == miq::grouping::silhouette(miq_test::threads(1), distance, groups, miq::vector_view<float>(host)));
  for (std::size_t i = 0; i < host.size(); ++i) REQUIRE(host[i] == static_cast<float>(out.widths[i]));
}

}  // namespace

TEST_CASE("the body of silhouette gives the definition's widths and the host's bits", "[grouping][body]") {
  const auto lanes = GENERATE(0, 1, 8);
  for (const std::int64_t n : {2, 3, 7, 64, 131, 257}) {
    if (lanes > 1 && n > 131) continue;
    for (const std::int64_t groups : {std::int64_t{2}, std::int64_t{3}, std::int64_t{17}, n / 2, n}) {
      if (groups < 2 || groups > n) continue;
      INFO(n << " columns, " << groups << " groups");
      check(miq_test::hashed_distances(miq_test::seed(), n), random_groups(n, groups), lanes);
    }
  }
}

TEST_CASE("the body of silhouette takes more groups than fit into scratch at once", "[grouping][body]") {
  check(miq_test::hashed_distances(miq_test::seed(), 2300), random_groups(2300, 1500), 0);
}

TEST_CASE("the body of silhouette gives 0 where columns coincide", "[grouping][body]") {
  const miq::matrix<float> distance(9, 9, 0.0F);
  check(distance, random_groups(9, 4), 8);
}

TEST_CASE("the memory and blocks of silhouette fit at all sizes", "[grouping][body]") {
  for (const std::int64_t n : {2, 100, 13824, 28672})
    for (const std::int64_t groups : {std::int64_t{2}, std::int64_t{32}, std::int64_t{1000}, n}) {
      if (groups > n) continue;
      miq::grouping::detail::silhouette_body body;
      body.columns = n;
      body.groups = groups;
      REQUIRE(body.scratch_bytes() <= 48 * 1024);
      REQUIRE(body.rows() * body.blocks() >= n);
      REQUIRE(body.rows() * (body.blocks() - 1) < n);
      REQUIRE(miq::grouping::detail::silhouette_layout(n, groups).layout.bytes() >= 16 * n + 32 * groups);
    }
}
