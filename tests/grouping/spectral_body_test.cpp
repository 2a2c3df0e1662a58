// The block eigensolver and spectral clustering on a machine (bodies, products, their order and memory) on the host:
// against Eigen's solver in double precision, the definition of the graph, and the host's own functions.
#include <miq/grouping/detail/spectral/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "grouping/grouping_inputs.hpp"
#include "reference/grouping.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::grouping::eigen_solver;
using miq::grouping::eigenpairs_options;
using miq::grouping::eigenpairs_result;
using miq::grouping::spectral_options;
using miq::grouping::spectral_result;
using miq_test::reference::to_double;
namespace detail = miq::grouping::detail;

eigenpairs_result pairs_of(miq::matrix_view<const float> m, int count, const eigenpairs_options& options,
                           std::int32_t lanes = 0) {
  const detail::eigenpairs_layout at(m.rows(), count, options.dense_up_to);
  const miq_test::nonsense_memory scratch(at.layout);
  return detail::largest_eigenpairs_on_machine(miq_test::host_machine(lanes), m.data(), m.leading(), m.rows(), count,
                                               options, scratch.data());
}

spectral_result groups_of(miq::matrix_view<const float> m, const spectral_options& options, std::int32_t lanes = 0) {
  const detail::spectral_layout at(m.rows(), options);
  const miq_test::nonsense_memory scratch(at.layout);
  return detail::spectral_on_machine(miq_test::host_machine(lanes), m.data(), m.leading(), m.rows(), options,
                                     scratch.data());
}

detail::affinity_graph graph(miq::matrix_view<const float> m, std::int32_t lanes = 0) {
  const detail::spectral_layout at(m.rows(), {.groups = 1});
  const miq_test::nonsense_memory scratch(at.layout);
  return detail::graph_on_machine(miq_test::host_machine(lanes), m.data(), m.leading(), m.rows(), "spectral", at,
                                  scratch.data());
}

miq::matrix<float> padded(const miq::matrix<float>& m) {
  miq::matrix<float> out(m.rows(), m.columns() + 5, std::nanf(""));
  for (std::int64_t i = 0; i < m.rows(); ++i) std::copy_n(&m(i, 0), m.columns(), &out(i, 0));
  return out;
}

/// A sum of `rank` squares, eigenvalues well apart, and a little noise.
miq::matrix<float> low_rank(std::int64_t n, int rank, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> v(n, rank), m(n, n);
  for (std::int64_t i = 0; i < v.size(); ++i) v.data()[i] = static_cast<float>(random.normal());
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = 0.01 * random.normal();
      for (int k = 0; k < rank; ++k) sum += std::pow(0.7, k) * static_cast<double>(v(i, k) * v(j, k));
      m(i, j) = m(j, i) = static_cast<float>(sum);
    }
  return m;
}

void check_pairs(const miq::matrix<float>& m, const eigenpairs_result& found, int count, double tolerance) {
  const auto a = to_double(m), v = to_double(found.vectors);
  const auto exact = miq_test::reference::eigenvalues(a);
  const double norm = std::max(std::abs(exact(0)), std::abs(exact(exact.size() - 1)));
  REQUIRE(v.cols() == count);
  CHECK((v.transpose() * v - Eigen::MatrixXd::Identity(count, count)).cwiseAbs().maxCoeff() < 1e-5);
  for (int j = 0; j < count; ++j) {
    const auto value = static_cast<double>(found.values[static_cast<std::size_t>(j)]);
    CHECK(value == Approx(exact(j)).margin(tolerance * norm));  // a residual bounds the distance to an eigenvalue
    CHECK((a * v.col(j) - value * v.col(j)).norm() <= 1.2 * tolerance * norm);
  }
}

}  // namespace

TEST_CASE("the block eigensolver on a machine finds the largest pairs", "[grouping][body]") {
  struct size {
    std::int64_t n;
    int count;
  };
  const auto s = GENERATE(size{257, 1}, size{300, 8}, size{521, 20}, size{700, 40});
  const bool separated = GENERATE(true, false);
  const auto m =
      separated ? low_rank(s.n, s.count + 2, miq_test::seed()) : miq_test::random_symmetric(miq_test::seed(), s.n);
  const auto spaced = padded(m);
  const auto found = pairs_of({spaced.data(), s.n, s.n, s.n + 5}, s.count, {});
  CHECK(found.solver == eigen_solver::block_krylov);
  CHECK(found.converged);
  CHECK(found.products > 0);
  check_pairs(m, found, s.count, 1e-5);
  // The same start and the same steps as on the host: as many products, give or take one at a rounding of the end.
  const auto host = miq::grouping::largest_eigenpairs(miq_test::threads(1), m, s.count);
  CHECK(std::abs(found.products - host.products) <= 6);
}

TEST_CASE("the block eigensolver on a machine finds repeated eigenvalues", "[grouping][body]") {
  // A diagonal of fives, threes and ones: 5 ten times, 3 seven times.
  miq::matrix<float> m(400, 400);
  for (std::int64_t i = 0; i < 400; ++i) m(i, i) = i % 40 == 7 ? 5.0F : i % 57 == 3 ? 3.0F : 1.0F;
  const auto found = pairs_of(m, 12, {});
  CHECK(found.solver == eigen_solver::block_krylov);
  for (std::size_t j = 0; j < 12; ++j) CHECK(static_cast<double>(found.values[j]) == Approx(j < 10 ? 5.0 : 3.0));
  check_pairs(m, found, 12, 1e-5);
}

TEST_CASE("the block eigensolver on a machine leaves small matrices and hard ones to the host", "[grouping][body]") {
  const auto m = miq_test::random_symmetric(miq_test::seed(), 211);
  const auto spaced = padded(m);
  const auto small = pairs_of({spaced.data(), 211, 211, 216}, 5, {});
  CHECK(small.solver == eigen_solver::dense);
  CHECK(small.products == 0);
  const auto host = miq::grouping::largest_eigenpairs(miq_test::threads(1), m, 5);
  CHECK(miq_test::same_bits(small.values, host.values));
  CHECK(miq_test::same_bits(small.vectors, host.vectors));

  const eigenpairs_options one{.max_products = 1, .dense_up_to = 100};
  const auto hard = pairs_of(m, 5, one);
  CHECK(hard.solver == eigen_solver::fallback);
  CHECK(hard.products == 1);
  check_pairs(m, hard, 5, 1e-5);
  CHECK_THROWS_AS(pairs_of(m, 5, {.max_products = 1, .dense_up_to = 100, .dense_fallback = false}),
                  miq::numerical_error);
}

TEST_CASE("the block eigensolver on a machine does not depend on the lanes", "[grouping][body]") {
  const auto m = low_rank(290, 6, miq_test::seed());
  const auto serial = pairs_of(m, 4, {}), lanes = pairs_of(m, 4, {}, 8);
  CHECK(serial.products == lanes.products);
  CHECK(miq_test::same_bits(serial.values, lanes.values));
  CHECK(miq_test::same_bits(serial.vectors, lanes.vectors));
}

TEST_CASE("the block eigensolver's random vectors are the stream's", "[grouping][body]") {
  const std::int64_t n = 37;
  miq::matrix<float> out(n, 9, -7.0F);
  miq::random_stream stream(miq_test::seed());
  stream.skip(14);
  miq_test::host_machine(GENERATE(0, 8)).launch("", detail::random_columns_body{stream, 0.5, n, 4, out.data(), 9});
  for (std::int64_t c = 0; c < 9; ++c)
    for (std::int64_t r = 0; r < n; ++r)
      REQUIRE(out(r, c) == (c < 4 ? static_cast<float>(0.5 * stream.normal()) : -7.0F));
}

TEST_CASE("a graph on a machine is the host's to the bit", "[grouping][body]") {
  const auto lanes = GENERATE(0, 8);
  const auto n = GENERATE(1, 2, 31, 32, 33, 97);
  // Sparse enough for several components, isolated columns, long paths.
  const double share = GENERATE(0.0, 0.01, 0.03, 0.5);
  const auto seed = miq_test::seed();
  miq::matrix<float> m(n, n);
  for (std::int64_t i = 0; i < n; ++i) {
    m(i, i) = miq_test::unit(3, static_cast<std::uint64_t>(i));
    for (std::int64_t j = 0; j < i; ++j)
      if (static_cast<double>(miq_test::unit(seed, static_cast<std::uint64_t>(i * n + j))) < share)
        m(i, j) = m(j, i) = miq_test::unit(seed + 1, static_cast<std::uint64_t>(i * n + j));
  }
  const auto spaced = padded(m);
  const auto found = graph({spaced.data(), n, n, n + 5}, lanes);
  const auto host = detail::graph_of(miq_test::threads(1), m, "spectral");
  CHECK(found.connected == host.connected);
  CHECK(found.isolated == host.isolated);
  CHECK(miq_test::same_bits(found.inverse_root, host.inverse_root));
  CHECK(found.component == host.component);
  CHECK(found.connected_components == host.connected_components);
}

TEST_CASE("components on a machine follow a shuffled path and a star", "[grouping][body]") {
  const std::int64_t n = 200;
  const auto seed = miq_test::seed();
  std::vector<std::int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [seed](auto a, auto b) {
    return miq::random_hash(seed, static_cast<std::uint64_t>(a)) <
           miq::random_hash(seed, static_cast<std::uint64_t>(b));
  });
  miq::matrix<float> path(n, n), star(n, n);
  for (std::size_t k = 0; k + 1 < order.size(); ++k) {
    if (k != 99) path(order[k], order[k + 1]) = path(order[k + 1], order[k]) = 1.0F;  // two paths of 100
    star(static_cast<std::int64_t>(k), n - 1) = star(n - 1, static_cast<std::int64_t>(k)) = 1.0F;
  }
  const auto two = graph(path);
  CHECK(two.connected_components == 2);
  std::vector<std::int32_t> half(n);
  for (std::size_t k = 0; k < order.size(); ++k)
    half[static_cast<std::size_t>(order[k])] =
        (k < 100) == (std::find(order.begin(), order.end(), 0) - order.begin() < 100) ? 0 : 1;
  CHECK(two.component == half);
  CHECK(graph(star).connected_components == 1);
}

TEST_CASE("normalised affinities on a machine follow the formula and are symmetric to the bit", "[grouping][body]") {
  const auto lanes = GENERATE(0, 8);
  const std::int64_t n = 67;
  auto m = miq_test::hashed_distances(miq_test::seed(), n);
  for (std::int64_t i = 0; i < n; ++i) m(i, 5) = m(5, i) = m(i, 60) = m(60, i) = 0;  // isolated
  for (std::int64_t i = 0; i < n; ++i) m(i, i) = 0.5F;
  const auto g = graph(m);
  REQUIRE(g.isolated == std::vector<std::int64_t>{5, 60});
  const std::vector<std::int32_t> connected(g.connected.begin(), g.connected.end());
  const std::int64_t left = n - 2;
  miq::matrix<float> out(left, left, -7.0F);
  miq_test::host_machine(lanes).launch(
      "", detail::normalised_affinity_body{m.data(), n, left, connected.data(), g.inverse_root.data(), out.data()});
  miq::matrix<float> kept(left, left);
  for (std::int64_t i = 0; i < left; ++i)
    for (std::int64_t j = 0; j < left; ++j)
      kept(i, j) = m(connected[static_cast<std::size_t>(i)], connected[static_cast<std::size_t>(j)]);
  const auto expected = miq_test::reference::normalised_affinity(to_double(kept));
  for (std::int64_t i = 0; i < left; ++i)
    for (std::int64_t j = 0; j < left; ++j) {
      REQUIRE(static_cast<double>(out(i, j)) == Approx(expected(i, j)).epsilon(0x1p-23).margin(0));
      REQUIRE(out(i, j) == out(j, i));
    }
}

TEST_CASE("spectral clustering on a machine finds blocks as the host does", "[grouping][body]") {
  const std::vector<int> sizes = {90, 61, 130, 40};
  const auto model = miq_test::make_block_model(miq_test::seed(), sizes, 1.0F, 0.05F);
  const auto n = model.affinity.rows();
  const auto spaced = padded(model.affinity);
  const spectral_options options{.groups = 4};
  const auto found = groups_of({spaced.data(), n, n, n + 5}, options);
  const auto host = miq::grouping::spectral(miq_test::threads(1), model.affinity, options);
  CHECK(found.groups == host.groups);
  CHECK(miq_test::reference::adjusted_rand(found.groups.labels(), model.blocks) == 1.0);
  CHECK(found.solver == eigen_solver::block_krylov);
  CHECK(found.eigen_converged);
  CHECK(found.isolated == 0);
  CHECK(found.components == 1);
  const auto exact =
      miq_test::reference::eigenvalues(miq_test::reference::normalised_affinity(to_double(model.affinity)));
  REQUIRE(found.eigenvalues.size() == 4);
  for (int j = 0; j < 4; ++j)
    CHECK(static_cast<double>(found.eigenvalues[static_cast<std::size_t>(j)]) == Approx(exact(j)).margin(1e-5));
}

TEST_CASE("spectral clustering on a machine gives isolated columns a group and joins components", "[grouping][body]") {
  const auto lanes = GENERATE(0, 8);
  const std::vector<int> sizes = {20, 15, 9};
  auto model = miq_test::make_block_model(miq_test::seed(), sizes, 1.0F, 0.0F);  // three components
  const auto n = model.affinity.rows();
  for (const auto groups : {1, 2, 3, 4, 7}) {
    const auto found = groups_of(model.affinity, {.groups = groups}, lanes);
    const auto host = miq::grouping::spectral(miq_test::threads(1), model.affinity, {.groups = groups});
    CHECK(found.groups.groups() == groups);
    CHECK(found.components == 3);
    if (groups <= 3) CHECK(found.groups == host.groups);
    if (groups == 3) CHECK(miq_test::reference::adjusted_rand(found.groups.labels(), model.blocks) == 1.0);
  }
  for (const std::int64_t c : {std::int64_t{0}, std::int64_t{17}, n - 1})
    for (std::int64_t j = 0; j < n; ++j) model.affinity(c, j) = model.affinity(j, c) = 0;
  for (const auto groups : {2, 4, static_cast<int>(n) - 1, static_cast<int>(n)}) {
    const auto found = groups_of(model.affinity, {.groups = groups}, lanes);
    const auto host = miq::grouping::spectral(miq_test::threads(1), model.affinity, {.groups = groups});
    CHECK(found.isolated == 3);
    CHECK(found.groups == host.groups);
    if (groups < 5) CHECK(found.groups.labels()[0] == found.groups.labels()[static_cast<std::size_t>(n - 1)]);
  }
  const miq::matrix<float> nothing(6, 6, 0.0F);
  CHECK(groups_of(nothing, {.groups = 3}, lanes).groups ==
        miq::grouping::partition(std::vector<std::int32_t>{0, 0, 1, 1, 2, 2}));
}

TEST_CASE("matrices that are not affinities are rejected on a machine", "[grouping][body]") {
  const auto lanes = GENERATE(0, 8);
  const auto message = [&](miq::matrix<float> m) -> std::string {
    try {
      groups_of(m, {.groups = 2}, lanes);
    } catch (const miq::invalid_argument& error) {
      return error.what();
    }
    return {};
  };
  const auto good = miq_test::hashed_distances(miq_test::seed(), 70);
  CHECK(message(good).empty());
  auto bad = good;
  bad(3, 69) = std::nanf("");
  bad(50, 2) = INFINITY;
  bad(9, 9) = -INFINITY;
  CHECK(message(bad) == "spectral: affinity must be finite, got 3 elements that are not");
  bad = good;
  bad(3, 69) = bad(69, 3) = -1.0F;
  CHECK(message(bad) == "spectral: affinity must not be negative, got 2 elements that are");
  bad = good;
  bad(64, 1) = std::nextafter(bad(64, 1), 2.0F);
  bad(33, 34) += 1.0F;
  CHECK(message(bad) == "spectral: affinity must be symmetric to the bit, got 2 pairs of elements that differ");

  detail::matrix_faults faults;
  bad = good;
  bad(5, 5) = 1e-30F;
  bad(8, 8) = -0.0F;
  bad(2, 1) = -0.0F;
  bad(1, 2) = 0.0F;  // equal
  CHECK_THROWS_WITH(
      detail::require_symmetric_on_machine(miq_test::host_machine(lanes), bad.data(), 70, 70, "f", "m",
                                           detail::sign_rule::not_negative, detail::diagonal_rule::zero, &faults),
      "f: m must have a zero diagonal, got 1 elements that are not 0");
}

TEST_CASE("the memory of spectral clustering holds each phase", "[grouping][body]") {
  for (const std::int64_t n : {1, 2, 300, 1000, 1120, 13824, 28672})
    for (const int groups : {1, 2, 32, 89, 100, 103, 105, 400}) {
      if (groups > n) continue;
      const spectral_options options{.groups = groups};
      const detail::spectral_layout at(n, options);
      const auto phase = at.layout.bytes() - at.phase;
      for (const auto connected : {n, n - 1, n - 7, n / 2})
        for (const auto own : {groups, groups - 1}) {
          if (own < 1 || own > connected || (own == groups && connected < n)) continue;
          auto clusters = detail::kmeans_options_of(options);
          clusters.groups = own;
          const detail::eigenpairs_layout vectors(connected, own, 256);
          REQUIRE(phase >= vectors.layout.bytes());
          REQUIRE(phase >= detail::kmeans_layout(connected, own, clusters).layout.bytes());
          if (vectors.shape.block == 0) continue;
          REQUIRE(vectors.tiles <= 32);
          REQUIRE(vectors.tile * vectors.tiles >= connected);
          REQUIRE(vectors.tile * (vectors.tiles - 1) < connected);
        }
      REQUIRE(at.layout.bytes() >= 4 * n * n);
    }
}
