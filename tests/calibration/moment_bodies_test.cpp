// The device's accumulators on the host: the same steps on a machine of plain loops, on one lane and on threads,
// against the definitions in long double and the host's accumulator.
#include <miq/calibration/detail/accumulator/schedule.hpp>

#include <limits>
#include <memory>
#include <numeric>

#include <miq/calibration/cross_moments.hpp>

#include "calibration/support.hpp"
#include "test_support/catch.hpp"
#include "test_support/host_machine.hpp"

namespace {

using namespace miq::calibration;
using namespace miq_test;
namespace body = miq::calibration::detail;
using miq::matrix;
using miq::matrix_view;

const float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// What owns the memory, as the device's class does.
class accumulator_twin {
 public:
  explicit accumulator_twin(std::int64_t columns, const accumulator_options& options = {}, std::int32_t lanes = 0)
      : machine_(lanes) {
    body::carver size(nullptr), scratch_size(nullptr);
    body::lay_out_memory(size, columns, 0, options.sample_tokens);
    body::lay_out_scratch(scratch_size, columns, 0);
    memory_ = std::make_unique<nonsense_memory>(size.layout());
    scratch_memory_ = std::make_unique<nonsense_memory>(scratch_size.layout());
    body::carver memory(memory_->data()), scratch(scratch_memory_->data());
    core_.columns = columns;
    core_.next_token = options.first_token;
    core_.sample.limit = options.sample_tokens;
    core_.sample.seed = options.seed;
    core_.memory = body::lay_out_memory(memory, columns, 0, options.sample_tokens);
    scratch_ = body::lay_out_scratch(scratch, columns, 0);
    machine_.clear(core_.memory.unusable, 1);
  }

  template <class T>
  void add(matrix_view<const T> batch) {
    core_.add(machine_, scratch_, batch);
  }
  void add(matrix_view<const float> batch) { add<float>(batch); }
  void merge(const accumulator_twin& other) {
    core_.merge(machine_, scratch_, other.core_, memory_->data(), other.memory_->data(), memory_->bytes());
  }
  statistics finish(std::int64_t padding = 0) {
    const auto c = static_cast<std::size_t>(core_.columns);
    statistics out;
    out.tokens = core_.counts.tokens();
    matrix<float> wide(core_.columns, core_.columns + padding, -7.0F);
    for (auto* v : {&out.mean, &out.mean_absolute, &out.minimum, &out.maximum}) v->resize(c);
    body::finish_statistics(machine_, core_.counts, core_.memory, scratch_,
                            matrix_view<float>(wide.data(), core_.columns, core_.columns, wide.columns()),
                            out.mean.data(), out.mean_absolute.data(), out.minimum.data(), out.maximum.data());
    out.covariance = matrix<float>(core_.columns, core_.columns);
    for (std::int64_t i = 0; i < core_.columns; ++i) {
      for (std::int64_t j = 0; j < core_.columns; ++j) out.covariance(i, j) = wide(i, j);
      for (auto j = core_.columns; j < wide.columns(); ++j) REQUIRE(wide(i, j) == -7.0F);
    }
    return out;
  }
  token_sample sample() {
    token_sample out;
    const auto rows = core_.sample.in_order(out.indices);
    out.tokens = matrix<float>(static_cast<std::int64_t>(rows.size()), core_.columns);
    body::copy_rows(machine_, static_cast<const float*>(core_.memory.sample), core_.columns, out.tokens.data(),
                    core_.columns, rows);
    return out;
  }
  std::int64_t unusable() const { return *core_.memory.unusable; }
  std::int64_t next_token() const { return core_.next_token; }

 private:
  host_machine machine_;
  std::unique_ptr<nonsense_memory> memory_, scratch_memory_;
  body::accumulator_core core_;
  body::moment_scratch scratch_;
};

matrix_view<const float> rows_of(const matrix<float>& x, std::int64_t first, std::int64_t count) {
  return matrix_view<const float>(x.view()).rows_from(first, count);
}

/// Everything that statistics promise, against the definitions.
void check_statistics(const statistics& got, const matrix<float>& x, double largest_error) {
  const auto expected = exact(x);
  CHECK(got.tokens == x.rows());
  CHECK(symmetric_to_the_bit(got.covariance));
  CHECK(worst_covariance_error(got, expected) <= largest_error);
  for (std::int64_t c = 0; c < x.columns(); ++c) {
    const auto s = static_cast<std::size_t>(c);
    float low = x(0, c), high = x(0, c);
    for (std::int64_t t = 1; t < x.rows(); ++t) {
      low = std::min(low, x(t, c));
      high = std::max(high, x(t, c));
    }
    REQUIRE(got.minimum[s] == low);
    REQUIRE(got.maximum[s] == high);
    const auto tolerance = 0x1.02p-24L * std::abs(expected.mean[s]) + 1e-15L * expected.mean_absolute[s];
    REQUIRE(std::abs(static_cast<long double>(got.mean[s]) - expected.mean[s]) <= tolerance);
    REQUIRE(std::abs(static_cast<long double>(got.mean_absolute[s]) - expected.mean_absolute[s]) <=
            0x1.02p-24L * expected.mean_absolute[s]);
  }
}

}  // namespace

TEST_CASE("the device's accumulator gives the definitions, for any batches", "[calibration][body]") {
  const auto columns = GENERATE(1, 2, 31, 32, 33, 127, 129, 200);
  const auto tokens = GENERATE(1, 2, 31, 33, 511, 512, 513, 1200);
  if (columns > 129 && tokens > 600) return;
  const double mean = columns % 2 == 0 ? 1e4 : 0;
  const auto x = normal_tokens(tokens, columns, seed(), mean);
  accumulator_twin whole(columns), parts(columns);
  whole.add(x);
  const auto got = whole.finish(3);
  check_statistics(got, x, tokens == 1 ? 0 : 0x1p-18);
  const std::int64_t sizes[] = {0, 1, 7, 100, 32, 600};
  std::size_t k = 0;
  for (std::int64_t t = 0; t < tokens;) {
    const auto count = std::min(sizes[k++ % 6], tokens - t);
    parts.add(rows_of(x, t, count));
    t += count;
    if (k == 4) parts.finish();  // changes nothing
  }
  CHECK(same_bits(got, parts.finish()));
  CHECK(same_bits(got, whole.finish()));

  // The host's accumulator has the same tiles, and shifts; its sums are in another order.
  const auto host = statistics_of(x);
  CHECK(got.minimum == host.minimum);
  CHECK(got.maximum == host.maximum);
  for (std::size_t c = 0; c < got.mean.size(); ++c)
    REQUIRE(static_cast<double>(got.mean[c]) ==
            Approx(static_cast<double>(host.mean[c])).epsilon(0x1p-23).margin(1e-14));
}

TEST_CASE("the device's accumulator has more than one panel of products", "[calibration][body]") {
  const auto columns = GENERATE(511, 512, 513, 1100);
  const auto x = normal_tokens(530, columns, seed(), 3);
  accumulator_twin seen(columns);
  seen.add(x);
  const auto got = seen.finish();
  const auto host = statistics_of(x);
  CHECK(symmetric_to_the_bit(got.covariance));
  double worst = 0;
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      worst = std::max(
          worst,
          std::abs(static_cast<double>(got.covariance(i, j)) - static_cast<double>(host.covariance(i, j))) /
              std::sqrt(static_cast<double>(host.covariance(i, i)) * static_cast<double>(host.covariance(j, j))));
  CHECK(worst <= 0x1p-18);
}

TEST_CASE("the device's accumulator on threads gives the same bits", "[calibration][body]") {
  const auto columns = GENERATE(1, 33, 130);
  const std::int64_t tokens = 700;
  const auto x = normal_tokens(tokens, columns, seed(), 100);
  const accumulator_options options{.sample_tokens = 20, .seed = 5};
  accumulator_twin one(columns, options), eight(columns, options, 8);
  for (std::int64_t t = 0; t < tokens; t += 350) {
    one.add(rows_of(x, t, 350));
    eight.add(rows_of(x, t, 350));
  }
  CHECK(same_bits(one.finish(), eight.finish()));
  CHECK(same_bits(one.sample().tokens.view(), eight.sample().tokens.view()));
  accumulator_twin other(columns, {.sample_tokens = 20, .seed = 5, .first_token = tokens}, 8);
  other.add(rows_of(x, 0, 100));
  one.merge(other);
  eight.merge(other);
  CHECK(same_bits(one.finish(), eight.finish()));
}

TEMPLATE_TEST_CASE("the device's accumulator takes 16-bit batches with a leading dimension", "[calibration][body]",
                   miq::float16, miq::bfloat16) {
  const std::int64_t columns = 37, tokens = 600, leading = 41;
  const auto x = normal_tokens(tokens, columns, seed(), 2);
  std::vector<TestType> batch(static_cast<std::size_t>(tokens * leading), TestType(not_a_number));
  matrix<float> rounded(tokens, columns);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t c = 0; c < columns; ++c) {
      auto& place = batch[static_cast<std::size_t>(t * leading + c)];
      place = TestType(x(t, c));
      rounded(t, c) = static_cast<float>(place);
    }
  accumulator_twin got(columns, {.sample_tokens = 9}), expected(columns, {.sample_tokens = 9});
  got.add(matrix_view<const TestType>(batch.data(), tokens, columns, leading));
  expected.add(rounded);
  CHECK(same_bits(got.finish(), expected.finish()));
  CHECK(same_bits(got.sample().tokens.view(), expected.sample().tokens.view()));
  CHECK(got.unusable() == 0);
  check_statistics(got.finish(), rounded, 0x1p-18);
}

TEST_CASE("means of 10^4 deviations, and drifting ones, cost the device's accumulator no accuracy",
          "[calibration][body]") {
  const std::int64_t columns = 24, tokens = 2000;
  auto x = normal_tokens(tokens, columns, seed());
  const bool drift = GENERATE(false, true);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t c = 0; c < columns; ++c)
      x(t, c) += drift ? static_cast<float>(1e4 * static_cast<double>(t) / static_cast<double>(tokens)) : 1e4F;
  accumulator_twin seen(columns);
  seen.add(x);
  // 512 products in a row: 2^-15 at worst, and the rounding of the result.
  check_statistics(seen.finish(), x, 0x1p-18);
}

TEST_CASE("dead, constant and spoilt columns of the device's accumulator", "[calibration][body]") {
  const std::int64_t columns = 40, tokens = 900;
  auto x = normal_tokens(tokens, columns, seed());
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(), 0x1.000002p58F);
  const std::int64_t when = GENERATE(0, 300, 511, 512, 899);
  for (std::int64_t t = 0; t < tokens; ++t) {
    x(t, 3) = 0;
    x(t, 4) = 0.1F;
    x(t, 39) = -3;
  }
  const auto clean = statistics_of(x);
  accumulator_twin without(columns);
  without.add(x);
  const auto other = without.finish();
  CHECK(without.unusable() == 0);
  for (const std::int64_t c : {3, 4, 39}) {
    CHECK(other.is_constant(c));
    CHECK(other.mean[static_cast<std::size_t>(c)] == x(0, c));
    CHECK(other.mean_absolute[static_cast<std::size_t>(c)] == std::abs(x(0, c)));
    for (std::int64_t k = 0; k < columns; ++k) REQUIRE((other.covariance(c, k) == 0 && other.covariance(k, c) == 0));
  }
  CHECK(other.is_dead(3));
  x(when, 7) = bad;
  x(when, 8) = 0x1p58F;  // the largest that is allowed
  accumulator_twin seen(columns);
  seen.add(x);
  CHECK(seen.unusable() == 1);
  const auto got = seen.finish();
  CHECK(std::isnan(got.mean[7]));
  CHECK(std::isnan(got.mean_absolute[7]));
  CHECK(std::isnan(got.minimum[7]));
  CHECK(std::isnan(got.maximum[7]));
  CHECK(got.maximum[8] == 0x1p58F);
  CHECK(std::isfinite(got.covariance(8, 8)));
  for (std::int64_t i = 0; i < columns; ++i) {
    const bool constant = i == 3 || i == 4 || i == 39;
    CHECK((constant ? got.covariance(7, i) == 0 : std::isnan(got.covariance(7, i))));
    if (i == 7 || i == 8) continue;
    // Others are as they would be without it.
    CHECK(got.mean[static_cast<std::size_t>(i)] == other.mean[static_cast<std::size_t>(i)]);
    for (std::int64_t j = 0; j < columns; ++j)
      if (j != 7 && j != 8) REQUIRE(got.covariance(i, j) == other.covariance(i, j));
  }
  CHECK(clean.tokens == got.tokens);
}

TEST_CASE("merged accumulators of the device hold what one would", "[calibration][body]") {
  const std::int64_t columns = 35;
  const auto first = GENERATE(0, 1, 100, 512, 700);
  const auto second = GENERATE(0, 1, 512, 600);
  if (first + second == 0) return;
  const auto x = normal_tokens(first + second, columns, seed(), 50);
  accumulator_twin a(columns), b(columns, {.first_token = first}), one(columns);
  a.add(rows_of(x, 0, first));
  b.add(rows_of(x, first, second));
  one.add(x);
  const auto alone = second > 0 ? b.finish() : statistics{};
  a.merge(b);
  CHECK(a.next_token() == first + second);
  check_statistics(a.finish(), x, first + second == 1 ? 0 : 0x1p-18);
  if (second > 0) CHECK(same_bits(alone, b.finish()));  // the other is not changed
  if (first == 512 && second == 512) CHECK(same_bits(a.finish(), one.finish()));
  // And goes on.
  const auto more = normal_tokens(530, columns, seed() + 1, 50);
  a.add(more);
  matrix<float> all(x.rows() + more.rows(), columns);
  for (std::int64_t t = 0; t < all.rows(); ++t)
    for (std::int64_t c = 0; c < columns; ++c) all(t, c) = t < x.rows() ? x(t, c) : more(t - x.rows(), c);
  check_statistics(a.finish(), all, 0x1p-18);
}

TEST_CASE("merging the device's accumulators makes no difference by which goes into which", "[calibration][body]") {
  const auto x = normal_tokens(900, 20, seed(), 7), y = normal_tokens(512, 20, seed() + 1, 9);
  accumulator_twin a(20), b(20, {.first_token = 900}), c(20), d(20, {.first_token = 900});
  for (auto* into : {&a, &c}) into->add(rows_of(x, 0, 512));
  for (auto* into : {&b, &d}) into->add(y);
  a.merge(b);
  d.merge(c);
  CHECK(same_bits(a.finish(), d.finish()));
}

TEST_CASE("the device's sample is the host's, to the bit", "[calibration][body]") {
  const std::int64_t columns = 5, tokens = 1500;
  const auto limit = GENERATE(1, 2, 130, 400, 5000);
  const auto batch = GENERATE(1, 37, 500, 1500);
  if (batch == 1 && limit != 130) return;
  const auto x = normal_tokens(tokens, columns, seed());
  const accumulator_options options{.sample_tokens = limit, .seed = 77, .first_token = 1000};
  const miq::host_executor exec({.threads = 1});
  accumulator host(columns, options);
  host.add(exec, x);
  const auto expected = host.sample();
  accumulator_twin whole(columns, options), head(columns, options);
  auto middle = options;
  middle.first_token += 600;
  accumulator_twin tail(columns, middle);
  for (std::int64_t t = 0; t < tokens; t += batch)
    whole.add(rows_of(x, t, std::min(batch, static_cast<int>(tokens - t))));
  const auto got = whole.sample();
  CHECK(got.indices == expected.indices);
  CHECK(same_bits(got.tokens.view(), expected.tokens.view()));
  head.add(rows_of(x, 0, 600));
  tail.add(rows_of(x, 600, 900));
  head.merge(tail);
  const auto merged = head.sample();
  CHECK(merged.indices == expected.indices);
  CHECK(same_bits(merged.tokens.view(), expected.tokens.view()));
  head.add(rows_of(x, 0, 10));
  accumulator longer(columns, options);
  longer.add(exec, x);
  longer.add(exec, rows_of(x, 0, 10));
  CHECK(same_bits(head.sample().tokens.view(), longer.sample().tokens.view()));
  if (limit > 1) CHECK_THROWS_AS(head.merge(whole), miq::invalid_argument);  // one token does not show it
}

namespace {

class cross_twin {
 public:
  cross_twin(std::int64_t a, std::int64_t b, bool difference, std::int32_t lanes = 0) : machine_(lanes) {
    body::carver size(nullptr), scratch_size(nullptr);
    body::lay_out_memory(size, a, b, 0);
    body::lay_out_scratch(scratch_size, a, b);
    memory_ = std::make_unique<nonsense_memory>(size.layout());
    scratch_memory_ = std::make_unique<nonsense_memory>(scratch_size.layout());
    body::carver memory(memory_->data()), scratch(scratch_memory_->data());
    core_.difference = difference;
    core_.memory = body::lay_out_memory(memory, a, b, 0);
    scratch_ = body::lay_out_scratch(scratch, a, b);
    machine_.clear(core_.memory.unusable, 1);
  }
  template <class First, class Second>
  void add(matrix_view<const First> first, matrix_view<const Second> second) {
    body::append_tokens<First, Second>(machine_, core_.counts, core_.memory, scratch_, first, second, core_.difference);
  }
  void merge(const cross_twin& other) {
    core_.merge(machine_, scratch_, other.core_, memory_->data(), other.memory_->data(), memory_->bytes());
  }
  cross_statistics finish() {
    cross_statistics out;
    out.tokens = core_.counts.tokens();
    out.moment = matrix<float>(core_.memory.shape.rows, core_.memory.shape.columns);
    out.first_mean.resize(static_cast<std::size_t>(core_.memory.shape.rows));
    out.second_mean.resize(static_cast<std::size_t>(core_.memory.shape.columns));
    body::finish_moments(machine_, core_.counts, core_.memory, scratch_, out.moment.view(), out.first_mean.data(),
                         out.second_mean.data());
    return out;
  }
  std::int64_t unusable() const { return *core_.memory.unusable; }

 private:
  host_machine machine_;
  std::unique_ptr<nonsense_memory> memory_, scratch_memory_;
  body::cross_core core_;
  body::moment_scratch scratch_;
};

/// 2/n sum x y^T in long double; the scale of the error is sqrt(var x var y), and one rounding.
void check_moments(const cross_statistics& got, const matrix<float>& x, const matrix<float>& y) {
  const auto n = static_cast<long double>(x.rows());
  CHECK(got.tokens == x.rows());
  const auto mean_of = [&](const matrix<float>& m, std::int64_t c) {
    long double sum = 0;
    for (std::int64_t t = 0; t < m.rows(); ++t) sum += static_cast<long double>(m(t, c));
    return sum / n;
  };
  const auto variance_of = [&](const matrix<float>& m, std::int64_t c) {
    long double sum = 0;
    const auto mean = mean_of(m, c);
    for (std::int64_t t = 0; t < m.rows(); ++t)
      sum += (static_cast<long double>(m(t, c)) - mean) * (static_cast<long double>(m(t, c)) - mean);
    return sum / n;
  };
  for (std::int64_t i = 0; i < x.columns(); ++i)
    for (std::int64_t j = 0; j < y.columns(); ++j) {
      long double sum = 0;
      for (std::int64_t t = 0; t < x.rows(); ++t)
        sum += static_cast<long double>(x(t, i)) * static_cast<long double>(y(t, j));
      const auto expected = 2 * sum / n;
      const auto scale = std::sqrt(variance_of(x, i) * variance_of(y, j));
      REQUIRE(std::abs(static_cast<long double>(got.moment(i, j)) - expected) <=
              0x1p-18L * scale + 0x1.02p-24L * std::abs(expected) + 1e-12L);
    }
  for (std::int64_t i = 0; i < x.columns(); ++i)
    REQUIRE(static_cast<double>(got.first_mean[static_cast<std::size_t>(i)]) ==
            Approx(static_cast<double>(mean_of(x, i))).epsilon(0x1.1p-24).margin(1e-12));
  for (std::int64_t j = 0; j < y.columns(); ++j)
    REQUIRE(static_cast<double>(got.second_mean[static_cast<std::size_t>(j)]) ==
            Approx(static_cast<double>(mean_of(y, j))).epsilon(0x1.1p-24).margin(1e-12));
}

}  // namespace

TEST_CASE("the device's cross_moments are the definition", "[calibration][body]") {
  const bool difference = GENERATE(false, true);
  const auto tokens = GENERATE(1, 100, 512, 700);
  const auto a = GENERATE(1, 33, 130);
  const auto b = difference ? a : 47;
  const auto x = normal_tokens(tokens, a, seed(), 10);
  auto y = normal_tokens(tokens, b, seed() + 1, 3);
  if (difference)
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t c = 0; c < b; ++c) y(t, c) = x(t, c) + 0.01F * y(t, c);
  cross_twin whole(a, b, difference), parts(a, b, difference, a == 33 && tokens == 700 ? 8 : 0), head(a, b, difference),
      tail(a, b, difference);
  whole.add<float, float>(x, y);
  for (std::int64_t t = 0; t < tokens; t += 90) {
    const auto count = std::min<std::int64_t>(90, tokens - t);
    parts.add<float, float>(rows_of(x, t, count), rows_of(y, t, count));
  }
  const auto got = whole.finish(), same = parts.finish();
  CHECK(same_bits(got.moment.view(), same.moment.view()));
  CHECK(same_bits(got.second_mean, same.second_mean));
  auto z = y;
  if (difference)
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t c = 0; c < b; ++c) z(t, c) = y(t, c) - x(t, c);
  check_moments(got, x, z);
  const auto part = tokens / 3;
  head.add<float, float>(rows_of(x, 0, part), rows_of(y, 0, part));
  tail.add<float, float>(rows_of(x, part, tokens - part), rows_of(y, part, tokens - part));
  head.merge(tail);
  check_moments(head.finish(), x, z);
  CHECK(whole.unusable() == 0);
}

TEST_CASE("the device's cross_moments count and keep apart what is not finite", "[calibration][body]") {
  const auto x = normal_tokens(600, 6, seed());
  auto y = x;
  y(100, 2) = not_a_number;
  cross_twin seen(6, 6, true);
  seen.add<float, float>(x, y);
  CHECK(seen.unusable() == 1);
  const auto got = seen.finish();
  for (std::int64_t i = 0; i < 6; ++i)
    for (std::int64_t j = 0; j < 6; ++j) CHECK((j == 2 ? std::isnan(got.moment(i, j)) : got.moment(i, j) == 0));
  CHECK_THROWS_AS(seen.merge(seen), miq::invalid_argument);
  CHECK_THROWS_AS(seen.merge(cross_twin(6, 6, false)), miq::invalid_argument);
}

TEST_CASE("the body of hessian is its formula", "[calibration][body]") {
  const auto columns = GENERATE(1, 5, 257);
  const auto lanes = GENERATE(0, 8);
  const auto x = normal_tokens(300, columns, seed(), 2);
  const auto seen = statistics_of(x);
  matrix<float> host(columns, columns), out(columns, columns + 2, -7.0F);
  hessian(miq::host_executor({.threads = 1}), seen.view(), host.view());
  body::hessian_body body{columns, seen.covariance.data(), columns, seen.mean.data(), out.data(), columns + 2};
  host_machine(lanes).launch("", body);
  for (std::int64_t i = 0; i < columns; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      REQUIRE(out(i, j) == host(i, j));
      const auto expected = 2 * (static_cast<long double>(seen.covariance(i, j)) +
                                 static_cast<long double>(seen.mean[static_cast<std::size_t>(i)]) *
                                     static_cast<long double>(seen.mean[static_cast<std::size_t>(j)]));
      REQUIRE(std::abs(static_cast<long double>(out(i, j)) - expected) <= 0x1.01p-24L * std::abs(expected));
    }
    REQUIRE((out(i, columns) == -7.0F && out(i, columns + 1) == -7.0F));
  }
}

TEST_CASE("the panels of products are contiguous, for all sizes", "[calibration][body]") {
  for (std::int64_t columns = 1; columns <= 28672; columns += columns < 2100 ? 1 : 97)
    for (const bool symmetric : {false, true}) {
      const body::product_shape shape{columns, symmetric ? columns : 12345, symmetric};
      std::int64_t end = 0, row = 0;
      for (std::int64_t k = 0; k < shape.panels(); ++k) {
        const auto at = shape.panel(k);
        REQUIRE(at.offset == end);
        REQUIRE(at.row == row);
        REQUIRE(at.column == (symmetric ? row : 0));
        REQUIRE(at.column + at.columns == shape.columns);
        row += at.rows;
        end += at.rows * at.columns;
      }
      REQUIRE(row == columns);
      REQUIRE(shape.elements() == end);
    }
  // 28672 columns: 3.3 GB of totals, and scratch that no 32-bit number holds.
  body::carver memory(nullptr), scratch(nullptr);
  body::lay_out_memory(memory, 28672, 0, 0);
  body::lay_out_scratch(scratch, 28672, 0);
  CHECK(memory.layout().bytes() > 8 * (std::int64_t{28672} * 28673 / 2));
  CHECK(memory.layout().bytes() < 8 * (std::int64_t{28672} * (28672 + 512) / 2) + 28672 * 4096);
  CHECK(scratch.layout().bytes() < std::int64_t{28672} * 512 * 16 + 28672 * 100);
}
