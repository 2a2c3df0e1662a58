// KSG by kernel bodies, in their order, on the host: against counts in double precision and, to the bit, the host.
#include <miq/information/detail/knn/schedule.hpp>
#include <miq/information/detail/samples/samples.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "information/samples.hpp"
#include "reference/information.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using miq::information::channel_pair;
using miq::information::knn_options;
using miq::information::knn_result;
using miq::information::ksg_variant;
namespace detail = miq::information::detail;

/// Samples with what occurs in networks: rounded and rectified channels, copies, a constant one.
miq::matrix<float> samples_of(std::int64_t tokens, std::int64_t channels, std::uint64_t seed) {
  miq::random_stream random(seed);
  miq::matrix<float> samples(tokens, channels + 3, std::nanf(""));
  for (std::int64_t t = 0; t < tokens; ++t) {
    const double common = random.normal();
    for (std::int64_t c = 0; c < channels; ++c) {
      double value = random.normal() + 0.8 * common;
      switch (c % 6) {
        case 1:
          value = std::max(value, 0.0);
          break;  // an atom at 0
        case 2:
          value = std::nearbyint(4 * value) / 4;
          break;  // many small groups
        case 3:
          value = std::nearbyint(value);
          break;  // few large ones
        case 4:
          if (c == 4) value = 2.5;
          break;  // constant
        case 5:
          value = static_cast<double>(samples(t, c - 4));
          break;  // a copy of the atom
        default:
          break;
      }
      samples(t, c) = static_cast<float>(value);
    }
  }
  return samples;
}

struct outcome {
  miq::matrix<float> mi;
  knn_result result;
};

outcome run(miq::matrix_view<const float> samples, const knn_options& options, std::int32_t lanes = 0) {
  const auto channels = samples.columns();
  outcome out{miq::matrix<float>(channels, channels + 2, -7.0F), {}};
  const detail::knn_layout at(samples.rows(), channels, -1);
  const miq_test::nonsense_memory scratch(at.layout);
  detail::knn_on_machine(miq_test::host_machine(lanes), samples.data(), samples.leading(), samples.rows(), channels, {},
                         nullptr, out.mi.data(), channels + 2, options, &out.result, scratch.data());
  return out;
}

}  // namespace

TEST_CASE("the bodies of KSG give the host's bits", "[knn][body]") {
  const std::int64_t tokens = GENERATE(18, 19, 64, 257, 1031);
  const int neighbours = GENERATE(1, 3, 4, 5, 16, 17);
  const auto variant = GENERATE(ksg_variant::first, ksg_variant::second);
  const float noise = GENERATE(0.0F, 0x1p-11F);
  CAPTURE(tokens, neighbours, static_cast<int>(variant), noise);
  const std::int64_t channels = 13;
  const auto store = samples_of(tokens, channels, miq_test::seed());
  const miq::matrix_view<const float> samples(store.data(), tokens, channels, store.columns());
  const knn_options options{
      .neighbours = neighbours, .variant = variant, .noise = noise, .seed = 42, .clip_negative = neighbours == 4};
  const auto out = run(samples, options);
  miq::matrix<float> host(channels, channels);
  const auto expected = miq::information::knn(miq::host_executor({.threads = 1}), samples, host.view(), options);
  for (std::int64_t i = 0; i < channels; ++i) {
    for (std::int64_t j = 0; j < channels; ++j) {
      CAPTURE(i, j);
      REQUIRE(out.mi(i, j) == host(i, j));
    }
    REQUIRE(out.mi(i, channels) == -7.0F);
  }
  CHECK(out.result.constant == expected.constant);
  CHECK(out.result.constant == 1);
  CHECK(out.result.tied == expected.tied);
  CHECK(out.result.negative == expected.negative);
}

TEST_CASE("the bodies of KSG count what the definition counts", "[knn][body]") {
  const std::int64_t tokens = GENERATE(7, 33, 211);
  const int neighbours = GENERATE(1, 3, 6);
  const auto variant = GENERATE(ksg_variant::first, ksg_variant::second);
  CAPTURE(tokens, neighbours, static_cast<int>(variant));
  miq::random_stream random(miq_test::seed());
  miq::matrix<float> samples(tokens, 4);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t c = 0; c < 4; ++c) samples(t, c) = static_cast<float>(random.below(c < 2 ? 5 : 100000));
  const auto out = run(samples, {.neighbours = neighbours, .variant = variant, .noise = 0});
  // A channel as the estimator sees it.
  const auto standardised = [&](std::int64_t c) {
    std::vector<long double> x;
    long double mean = 0, square = 0;
    for (std::int64_t t = 0; t < tokens; ++t) mean += static_cast<long double>(samples(t, c));
    mean /= static_cast<long double>(tokens);
    for (std::int64_t t = 0; t < tokens; ++t) square += std::pow(static_cast<long double>(samples(t, c)) - mean, 2.0L);
    std::vector<double> fixed;
    for (std::int64_t t = 0; t < tokens; ++t)
      fixed.push_back(static_cast<double>(
          std::nearbyint((static_cast<long double>(samples(t, c)) - mean) * 7e8L / std::sqrt(square))));
    return fixed;
  };
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = i + 1; j < 4; ++j) {
      const auto x = standardised(i), y = standardised(j);
      if (std::all_of(x.begin(), x.end(), [&](double v) { return v == x[0]; }) ||
          std::all_of(y.begin(), y.end(), [&](double v) { return v == y[0]; }))
        continue;
      CAPTURE(i, j);
      CHECK(static_cast<double>(out.mi(i, j)) ==
            Approx(miq_test::reference::ksg(x, y, neighbours, variant == ksg_variant::second))
                .epsilon(1.2e-7)
                .margin(1e-9));
    }
}

TEST_CASE("the bodies of KSG give a list what they give the matrix", "[knn][body]") {
  const auto lanes = GENERATE(0, 8);
  const std::int64_t tokens = 150, channels = 9;
  const auto samples = samples_of(tokens, channels, miq_test::seed());
  const miq::matrix_view<const float> view(samples.data(), tokens, channels, samples.columns());
  const knn_options options{.seed = 7};
  const auto all = run(view, options);
  const std::vector<channel_pair> pairs = {{8, 1}, {1, 5}, {3, 3}, {2, 8}, {5, 1}, {4, 0}};
  const detail::listed_channels listed(pairs, channels, std::pmr::get_default_resource());
  const auto places = detail::pairs_of_places(pairs, listed);
  std::vector<float> mi(pairs.size(), -7.0F);
  knn_result result;
  const detail::knn_layout at(tokens, listed.count(), static_cast<std::int64_t>(pairs.size()));
  const miq_test::nonsense_memory scratch(at.layout);
  detail::knn_on_machine(miq_test::host_machine(lanes), view.data(), view.leading(), tokens, listed.count(),
                         listed.columns(), &places, mi.data(), 0, options, &result, scratch.data());
  for (std::size_t p = 0; p < pairs.size(); ++p) CHECK(mi[p] == all.mi(pairs[p].first, pairs[p].second));
  std::vector<float> host(pairs.size());
  const auto expected =
      miq::information::knn(miq::host_executor({.threads = 1}), view, std::span<const channel_pair>(pairs),
                            miq::vector_view<float>(host), options);
  CHECK(mi == host);
  CHECK(result.constant == expected.constant);
  CHECK(result.tied == expected.tied);
  CHECK(result.negative == expected.negative);
}

TEST_CASE("the bodies of KSG do not depend on the lanes", "[knn][body]") {
  const std::int64_t tokens = 97, channels = 7;
  const auto samples = samples_of(tokens, channels, miq_test::seed());
  const miq::matrix_view<const float> view(samples.data(), tokens, channels, samples.columns());
  for (const auto variant : {ksg_variant::first, ksg_variant::second})
    for (const int neighbours : {3, 20}) {
      const knn_options options{.neighbours = neighbours, .variant = variant};
      const auto serial = run(view, options), lanes = run(view, options, 8);
      for (std::int64_t k = 0; k < serial.mi.size(); ++k) REQUIRE(serial.mi.data()[k] == lanes.mi.data()[k]);
      CHECK(serial.result.negative == lanes.result.negative);
      CHECK(serial.result.tied == lanes.result.tied);
    }
}

TEST_CASE("channels that are not finite have no information by the bodies of KSG", "[knn][body]") {
  auto samples = miq_test::draw(miq_test::gaussian(0.5, 0.143841036), 200, miq_test::seed());
  miq::matrix<float> four(200, 5);
  for (std::int64_t t = 0; t < 200; ++t)
    for (std::int64_t c = 0; c < 5; ++c)
      four(t, c) = samples(t, c % 2) + (c > 1 ? 0.1F * samples((t + c) % 200, 0) : 0.0F);
  const auto before = run(four, {});
  four(17, 1) = std::nanf("");
  four(199, 3) = -std::numeric_limits<float>::infinity();
  four(3, 4) = -std::nanf("");
  const auto out = run(four, {});
  CHECK(out.result.not_finite == 3);
  CHECK(out.result.constant == 0);
  for (std::int64_t i = 0; i < 5; ++i)
    for (std::int64_t j = 0; j < 5; ++j) {
      const auto bad = [](std::int64_t c) { return c == 1 || c > 2; };
      if (i == j)
        CHECK(out.mi(i, j) == 0.0F);
      else if (bad(i) || bad(j))
        CHECK(std::isnan(out.mi(i, j)));
      else
        CHECK(out.mi(i, j) == before.mi(i, j));
    }
}

TEST_CASE("rows are sorted, equal keys in their order", "[knn][body]") {
  const auto lanes = GENERATE(0, 3, 8);
  for (const std::int64_t n : {1, 2, 3, 31, 64, 65, 1000}) {
    const std::int64_t rows = 3;
    std::vector<std::uint64_t> keys(static_cast<std::size_t>(rows * n)), other(keys.size());
    std::vector<std::int32_t> payload(keys.size()), other_payload(keys.size());
    const std::vector<std::int32_t> wanted = {1, 0, 1};
    for (std::size_t i = 0; i < keys.size(); ++i) {
      keys[i] = miq::random_hash(miq_test::seed(), i) % (i % 2 == 0 ? 10 : ~std::uint64_t{0});
      payload[i] = static_cast<std::int32_t>(i);
    }
    const auto before = keys;
    miq_test::host_machine(lanes).launch("", detail::row_sort_body{rows, n, keys.data(), payload.data(), other.data(),
                                                                   other_payload.data(), wanted.data()});
    for (std::int64_t r = 0; r < rows; ++r) {
      std::vector<std::int32_t> order(static_cast<std::size_t>(n));
      std::iota(order.begin(), order.end(), static_cast<std::int32_t>(r * n));
      if (r != 1)
        std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
          return before[static_cast<std::size_t>(a)] < before[static_cast<std::size_t>(b)];
        });
      for (std::int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(r * n + i);
        REQUIRE(payload[at] == order[static_cast<std::size_t>(i)]);
        REQUIRE(keys[at] == before[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])]);
      }
    }
  }
}

TEST_CASE("psi by the body is the table of the host", "[knn][body]") {
  std::vector<std::int64_t> table(5002, -1);
  miq_test::host_machine(GENERATE(0, 8)).launch("", detail::digamma_body{5001, table.data()});
  const detail::digamma_table expected(5001, std::pmr::get_default_resource());
  for (std::int64_t n = 1; n <= 5001; ++n) REQUIRE(table[static_cast<std::size_t>(n)] == expected[n]);
}

TEST_CASE("the memory of KSG holds channels and batches at all sizes", "[knn][body]") {
  for (const std::int64_t tokens : {2, 1000, 2048, 100000, 1 << 24})
    for (const std::int64_t channels : {1, 2, 512, 13824, 28672}) {
      const detail::knn_layout at(tokens, channels, -1);
      REQUIRE(at.batch >= 1);
      REQUIRE(at.batch <= channels * (channels + 1) / 2);
      REQUIRE((at.batch == 1 || at.batch * tokens <= 1 << 23));
      const auto all = tokens * channels;
      REQUIRE(at.layout.bytes() >= 20 * all + std::max(24 * all, 20 * at.batch * tokens));
      REQUIRE(at.layout.bytes() <= 20 * all + std::max(24 * all, 20 * at.batch * tokens) + 40 * channels + 8 * tokens +
                                       8 * at.batch + 64 * 64);
      const detail::knn_search_body<4> body{{.channels = channels, .tokens = tokens}, {.count = at.batch}};
      REQUIRE(body.blocks() == at.batch * ((tokens + 1023) / 1024));
    }
}
