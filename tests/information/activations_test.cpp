// Real activations of a language model, beside NumPy, SciPy and scikit-learn.
#include <miq/information/estimator.hpp>

#include <algorithm>
#include <fstream>
#include <vector>

#include <miq/grouping/agreement.hpp>
#include <miq/grouping/group_by_information.hpp>
#include <miq/grouping/silhouette.hpp>
#include <miq/information/affinity.hpp>

#include "activations_values.hpp"
#include "test_support/catch.hpp"

using namespace miq::information;
using namespace miq_test;

namespace {

const miq::host_executor two({.threads = 2});

miq::matrix<float> activations() {
  miq::matrix<float> x(384, 12);
  std::ifstream file(MIQ_SOURCE_DIR "/tests/information/data/activations.f32", std::ios::binary);
  file.read(reinterpret_cast<char*>(x.data()), static_cast<std::streamsize>(x.size() * 4));
  REQUIRE(file.gcount() == x.size() * 4);
  return x;
}

miq::matrix<float> information_of(const miq::matrix<float>& x, const estimator_options& estimator) {
  miq::matrix<float> mi(x.columns(), x.columns());
  mutual_information(two, x.view(), mi.view(), estimator);
  return mi;
}

template <std::size_t Count>
void compare(const miq::matrix<float>& mi, std::int64_t channels, const double (&expected)[Count], double relative) {
  std::size_t pair = 0;
  for (std::int64_t i = 0; i < channels; ++i)
    for (std::int64_t j = i + 1; j < channels; ++j, ++pair) {
      INFO("channels " << i << " and " << j);
      CHECK(std::max(static_cast<double>(mi(i, j)), 0.0) == Approx(expected[pair]).epsilon(relative).margin(2e-7));
    }
  CHECK(pair == Count);
}

}  // namespace

TEST_CASE("information of real activations is NumPy's, SciPy's and scikit-learn's", "[activations]") {
  const auto x = activations();
  SECTION("correlation") { compare(information_of(x, correlation_options{}), 12, activations_correlation, 2e-5); }
  SECTION("rank") { compare(information_of(x, rank_correlation_options{}), 12, activations_rank, 2e-5); }
  SECTION("equal widths") { compare(information_of(x, histogram_options{}), 12, activations_equal_width_16, 1e-6); }
  SECTION("equal frequencies") {
    compare(information_of(x, histogram_options{.edges = bin_edges::equal_frequency, .bins = 8}), 12,
            activations_equal_frequency_8, 1e-6);
  }
  SECTION("nearest neighbours") { compare(information_of(x, knn_options{.noise = 0}), 6, activations_knn_3, 1e-6); }
}

TEST_CASE("groups of real activations are SciPy's and scikit-learn's", "[activations]") {
  const auto mi = information_of(activations(), correlation_options{});
  const auto found = miq::grouping::group_by_information(
      two, mi.view(), {}, {.method = miq::grouping::grouping_method::hierarchical, .groups = 4});
  REQUIRE(found.tree.merges().size() == std::size(activations_average_heights));
  for (std::size_t m = 0; m < found.tree.merges().size(); ++m)
    CHECK(found.tree.merges()[m].height == Approx(activations_average_heights[m]).epsilon(1e-5));
  const miq::grouping::partition expected(
      std::vector<std::int32_t>(std::begin(activations_labels_4), std::end(activations_labels_4)));
  CHECK(miq::grouping::adjusted_rand_index(two, found.groups, expected) == 1.0);
  miq::matrix<float> distances(12, 12);
  distance(two, mi.view(), distances.view());
  CHECK(miq::grouping::silhouette(two, distances.view(), found.groups) ==
        Approx(activations_silhouette_4[0]).epsilon(1e-4));
}
