// k-means on a machine (bodies, products, their order and memory) on the host: against sums in double precision, the
// host's own function, and itself on several lanes.
#include <miq/grouping/detail/kmeans/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include "grouping/grouping_inputs.hpp"
#include "reference/grouping.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::grouping::kmeans_options;
using miq::grouping::kmeans_result;
using miq_test::reference::to_double;

kmeans_result run(miq::matrix_view<const float> points, const kmeans_options& options, std::int32_t lanes = 0) {
  const miq::grouping::detail::kmeans_layout at(points.rows(), points.columns(), options);
  const miq_test::nonsense_memory scratch(at.layout);
  return miq::grouping::detail::kmeans_on_machine(miq_test::host_machine(lanes), points.data(), points.leading(),
                                                  points.rows(), points.columns(), options, scratch.data());
}

/// Whether no point is nearer to another centre than to its own by more than rounding of the scores.
bool nearest(const miq::matrix<float>& points, const kmeans_result& found) {
  const auto x = to_double(points), c = to_double(found.centres);
  const double size = (x.rowwise() - x.colwise().mean()).rowwise().squaredNorm().maxCoeff();
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    const double own = (x.row(i) - c.row(found.groups.labels()[static_cast<std::size_t>(i)])).squaredNorm();
    for (Eigen::Index g = 0; g < c.rows(); ++g)
      if ((x.row(i) - c.row(g)).squaredNorm() < own - 4e-6 * size) return false;
  }
  return true;
}

/// `groups` clouds whose centres lie far apart.
miq::matrix<float> clouds(std::int64_t n, std::int64_t d, std::int64_t groups, std::uint64_t seed) {
  miq::matrix<float> points(n, d);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < d; ++j)
      points(i, j) = 20.0F * miq_test::unit(seed + 1, static_cast<std::uint64_t>((i % groups) * d + j)) +
                     (j == 0 ? 30.0F * static_cast<float>(i % groups) : 0.0F) +
                     miq_test::unit(seed, static_cast<std::uint64_t>(i * d + j));
  return points;
}

}  // namespace

TEST_CASE("k-means on a machine ends where no point is nearer to another mean", "[grouping][body]") {
  struct size {
    std::int64_t n, d;
    int groups;
  };
  const auto s = GENERATE(size{1, 1, 1}, size{2, 3, 2}, size{7, 1, 3}, size{127, 5, 4}, size{128, 32, 8},
                          size{257, 33, 5}, size{383, 67, 31}, size{1031, 2, 12});
  const auto points = miq_test::uniform_points(miq_test::seed(), s.n, s.d);
  const auto found = run(points, {.groups = s.groups, .restarts = 4, .tolerance = 0.0F});
  INFO(s.n << " points of " << s.d << " coordinates in " << s.groups << " groups");
  CHECK(found.converged);
  CHECK(found.groups.groups() == s.groups);
  CHECK(found.groups == found.groups.canonical());
  CHECK(nearest(points, found));
  CHECK(
      found.inertia ==
      Approx(miq_test::reference::within_groups(to_double(points), found.groups.labels())).epsilon(1e-5).margin(1e-12));
  for (int g = 0; g < s.groups; ++g)
    for (std::int64_t j = 0; j < s.d; ++j) {
      double mean = 0;
      for (const auto i : found.groups.members(g)) mean += static_cast<double>(points(i, j));
      mean /= static_cast<double>(found.groups.size(g));
      REQUIRE(static_cast<double>(found.centres(g, j)) == Approx(mean).margin(2e-7));
    }
  // The same random numbers: the inertia is the host's but for draws within rounding of a boundary.
  const auto host =
      miq::grouping::kmeans(miq_test::threads(1), points, {.groups = s.groups, .restarts = 4, .tolerance = 0.0F});
  CHECK(found.inertia == Approx(host.inertia).epsilon(0.05).margin(1e-12));
}

TEST_CASE("k-means on a machine finds clouds as the host does", "[grouping][body]") {
  const auto d = GENERATE(1, 16, 45);
  const auto restarts = GENERATE(1, 3, 18);
  const auto points = clouds(211, d, 6, miq_test::seed());
  miq::matrix<float> padded(211, d + 5, std::nanf(""));
  for (std::int64_t i = 0; i < 211; ++i) std::copy_n(&points(i, 0), d, &padded(i, 0));
  const kmeans_options options{.groups = 6, .restarts = restarts};
  const auto host = miq::grouping::kmeans(miq_test::threads(1), points, options);
  const auto found = run({padded.data(), 211, d, d + 5}, options);
  CHECK(found.groups == host.groups);
  CHECK(found.inertia == Approx(host.inertia).epsilon(1e-6));
  CHECK(found.iterations == host.iterations);
  CHECK(found.relocated == host.relocated);
  CHECK(found.converged == host.converged);
  for (std::int64_t g = 0; g < 6; ++g)
    for (std::int64_t j = 0; j < d; ++j)
      REQUIRE(static_cast<double>(found.centres(g, j)) == Approx(static_cast<double>(host.centres(g, j))).margin(1e-4));
}

TEST_CASE("k-means on a machine leaves no group empty where points coincide", "[grouping][body]") {
  const auto lanes = GENERATE(0, 8);
  miq::matrix<float> points(40, 3);
  for (std::int64_t i = 0; i < 40; ++i)
    for (std::int64_t j = 0; j < 3; ++j) points(i, j) = static_cast<float>((i % 4) * (j + 1));
  const kmeans_options options{.groups = 7, .restarts = 2, .seed = 5};
  const auto found = run(points, options, lanes);
  CHECK(found.groups.groups() == 7);
  CHECK(found.inertia == 0);
  CHECK(found.relocated > 0);
  const auto host = miq::grouping::kmeans(miq_test::threads(1), points, options);
  CHECK(found.groups == host.groups);  // ties go by index in both
  CHECK(found.relocated == host.relocated);

  miq::matrix<float> same(9, 2, 3.5F);
  const auto alone = run(same, {.groups = 9, .restarts = 1}, lanes);
  CHECK(alone.groups.groups() == 9);
  CHECK(alone.inertia == 0);
}

TEST_CASE("k-means on a machine moves an empty group to the farthest point", "[grouping][body]") {
  // Two centres on one place: the second gets nothing, and must take the farthest point of a group of two or more.
  const std::int64_t n = 5, d = 2;
  miq::matrix<float> values(n, d), centres(2, d), products(2, n);
  values(0, 0) = 1;
  values(1, 1) = -3;
  values(2, 0) = 3;  // as far as point 1, after it
  std::vector<std::int32_t> labels(5, -1), counts(2, -1);
  std::vector<double> squares(5, -1);
  std::vector<float> norms(2, -1);
  miq::grouping::detail::kmeans_state state;
  miq::grouping::detail::kmeans_arrays a;
  a.points = n;
  a.coordinates = d;
  a.groups = 2;
  a.starts = 1;
  a.candidates = 2;
  a.values = values.data();
  a.centres = centres.data();
  a.half_norms = norms.data();
  a.products = products.data();
  a.labels = labels.data();
  a.counts = counts.data();
  a.squares = squares.data();
  a.states = &state;
  miq::grouping::detail::assign_on_machine(miq_test::host_machine(GENERATE(0, 1, 3, 8)), a);
  CHECK(labels == std::vector<std::int32_t>{0, 1, 0, 0, 0});
  CHECK(counts == std::vector<std::int32_t>{4, 1});
  CHECK(state.relocated == 1);
  CHECK(centres(1, 0) == 0.0F);
  CHECK(centres(1, 1) == -3.0F);
}

TEST_CASE("k-means on a machine does not depend on the lanes", "[grouping][body]") {
  const auto points = miq_test::uniform_points(miq_test::seed(), 150, 35);
  const kmeans_options options{.groups = 5, .restarts = 2, .max_iterations = 6};
  const auto serial = run(points, options);
  const auto lanes = run(points, options, 8);
  CHECK(serial.groups == lanes.groups);
  CHECK(serial.inertia == lanes.inertia);
  CHECK(serial.iterations == lanes.iterations);
  CHECK(serial.converged == lanes.converged);
  CHECK(miq_test::same_bits(serial.centres, lanes.centres));
}

TEST_CASE("the draw of k-means takes points in proportion to their distances", "[grouping][body]") {
  // Four points at distances 1, 2, 3 from the first (squares 1, 4, 9 of 14): shares of the second centre's draws.
  const std::int64_t n = 4, draws = 4000;
  miq::grouping::detail::kmeans_arrays a;
  std::vector<float> values{0, 1, 2, 3}, closest{0, 1, 4, 9};
  std::vector<double> potentials(static_cast<std::size_t>(draws), 0);
  potentials[0] = 14;
  std::vector<std::int64_t> drawn(static_cast<std::size_t>(draws), 0);
  std::vector<float> centres(2), all(static_cast<std::size_t>(draws * n), 0);
  std::copy(closest.begin(), closest.end(), all.begin());
  miq::grouping::detail::kmeans_state state;
  state.random = miq::random_stream(miq_test::seed());
  a.points = n;
  a.coordinates = 1;
  a.groups = 2;
  a.starts = 1;
  a.candidates = draws;
  a.values = values.data();
  a.centres = centres.data();
  a.closest[0] = a.closest[1] = all.data();
  a.potentials = potentials.data();
  a.drawn = drawn.data();
  a.states = &state;
  miq::run_body(miq_test::threads(1), miq::grouping::detail::kmeans_draw_body{a, 1});
  for (std::int64_t i = 0; i < n; ++i) {
    const double share = static_cast<double>(i * i) / 14;
    const auto count = static_cast<double>(std::count(drawn.begin(), drawn.end(), i));
    CHECK(count == Approx(share * draws).margin(5 * std::sqrt(draws * share * (1 - share))));
  }
}

TEST_CASE("k-means on a machine rejects values that are not finite", "[grouping][body]") {
  auto points = miq_test::uniform_points(1, 700, 3);
  points(650, 2) = std::nanf("");
  points(3, 0) = INFINITY;
  try {
    run(points, {.groups = 2});
    FAIL("no exception");
  } catch (const miq::invalid_argument& error) {
    CHECK(std::string(error.what()) == "kmeans: points must be finite, got 2 values that are not");
  }
}

TEST_CASE("k-means on a machine takes points of any scale", "[grouping][body]") {
  const auto scale = GENERATE(1e-30F, 1.0F, 1e30F);
  auto points = clouds(60, 3, 4, miq_test::seed());
  const auto expected = run(points, {.groups = 4, .restarts = 2});
  for (std::int64_t i = 0; i < points.size(); ++i) points.data()[i] = points.data()[i] * scale;
  CHECK(run(points, {.groups = 4, .restarts = 2}).groups == expected.groups);
}

TEST_CASE("the memory of k-means holds every array up to large sizes", "[grouping][body]") {
  for (const std::int64_t n : {1, 2, 127, 4096, 13824, 28672})
    for (const std::int64_t d : {1, 32, 28672})
      for (const int groups : {1, 2, 32, 1000}) {
        if (groups > n) continue;
        const kmeans_options options{.groups = groups};
        const miq::grouping::detail::kmeans_layout at(n, d, options);
        REQUIRE(at.together >= 1);
        REQUIRE(at.together <= options.restarts);
        REQUIRE(at.together * groups <= std::max(1024, groups));
        // At least the points, the products and two sets of distances; beyond 2^31 bytes where the points are.
        const auto candidates = 2 + static_cast<std::int64_t>(std::log(groups));
        REQUIRE(at.layout.bytes() >= 4 * (n * d + at.together * groups * n + 2 * at.together * candidates * n));
        REQUIRE(at.layout.bytes() <=
                5 * n * d + 16 * at.together * groups * (n + d) + 64 * at.together * candidates * n + 64 * 64);
        miq::grouping::detail::kmeans_arrays a;
        a.points = n;
        a.coordinates = d;
        a.groups = groups;
        a.starts = at.together;
        a.candidates = candidates;
        REQUIRE(miq::grouping::detail::kmeans_distances_body{a}.scratch_bytes() <= 48 * 1024);
        REQUIRE(miq::grouping::detail::kmeans_measure_body{a}.scratch_bytes() <= 48 * 1024);
        REQUIRE(miq::grouping::detail::kmeans_distances_body{a}.blocks() == at.together * ((n + 127) / 128));
      }
}
