#include <cmath>
#include <limits>
#include <new>
#include <sstream>

#include "calibration/support.hpp"
#include "test_support/catch.hpp"

using miq::calibration::accumulator;
using namespace miq_test;

namespace {

constexpr auto tile = accumulator::tile_tokens;

std::string bytes_of(const accumulator& a) {
  std::ostringstream out;
  a.save(out);
  return out.str();
}

/// Refuses every allocation from the `allowed`-th on.
class failing_resource : public std::pmr::memory_resource {
 public:
  explicit failing_resource(int allowed) : allowed_(allowed) {}
  bool refused() const { return refused_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (allowed_-- <= 0) {
      refused_ = true;
      throw std::bad_alloc();
    }
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  int allowed_;
  bool refused_ = false;
};

}  // namespace

TEST_CASE("statistics equal the definitions in long double", "[calibration]") {
  const auto columns = GENERATE(1, 2, 3, 17, 63, 64, 65, 131);
  const auto tokens = GENERATE(1, 2, 3, 7, 257, 511, 512, 513, 1031);
  CAPTURE(columns, tokens);
  const auto x = normal_tokens(tokens, columns, seed(), 0.5, 3);
  const auto got = statistics_of(x);
  const auto expected = exact(x);
  REQUIRE(got.tokens == tokens);
  REQUIRE(got.columns() == columns);
  // Chains of 256 float products; their errors add up like a random walk: 4 sqrt(256) 2^-24.
  CHECK(worst_covariance_error(got, expected) < 0x1p-18);
  CHECK(symmetric_to_the_bit(got.covariance));
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto k = static_cast<std::size_t>(c);
    CHECK(static_cast<double>(got.mean[k]) ==
          Approx(static_cast<double>(expected.mean[k])).epsilon(1e-7).margin(1e-12));
    CHECK(static_cast<double>(got.mean_absolute[k]) ==
          Approx(static_cast<double>(expected.mean_absolute[k])).epsilon(1e-7));
    float least = x(0, c), most = x(0, c);
    for (std::int64_t t = 0; t < tokens; ++t) least = std::min(least, x(t, c)), most = std::max(most, x(t, c));
    CHECK(got.minimum[k] == least);
    CHECK(got.maximum[k] == most);
  }
}

TEST_CASE("statistics equal NumPy's", "[calibration]") {  // tests/calibration/reference.py
  miq::matrix<float> x(100, 3);
  for (std::int64_t t = 0; t < 100; ++t)
    for (std::int64_t c = 0; c < 3; ++c)
      x(t, c) = static_cast<float>((t * t * (c + 3) + 5 * c) % 29) + 0.25F * static_cast<float>(t * (c + 1) % 7);
  const auto got = statistics_of(x);
  const double mean[] = {14.7275, 13.76, 12.7925};
  const double covariance[3][3] = {{62.00261875000002, -23.3479, -0.6471687500000003},
                                   {-23.3479, 81.63115000000003, 15.761450000000005},
                                   {-0.6471687500000003, 15.761450000000005, 54.23881874999999}};
  for (std::int64_t i = 0; i < 3; ++i) {
    CHECK(got.mean[static_cast<std::size_t>(i)] == Approx(mean[i]).epsilon(1e-7));
    for (std::int64_t j = 0; j < 3; ++j) CHECK(got.covariance(i, j) == Approx(covariance[i][j]).epsilon(2e-6));
  }
  const double away[] = {6.4725, 8.23, 6.6625};  // mean |x - 16|
  for (std::int64_t t = 0; t < 100; ++t)
    for (std::int64_t c = 0; c < 3; ++c) x(t, c) -= 16;
  const auto shifted = statistics_of(x);
  for (std::size_t c = 0; c < 3; ++c) CHECK(shifted.mean_absolute[c] == Approx(away[c]).epsilon(1e-7));
}

TEST_CASE("a mean of 10^4 deviations costs no accuracy", "[calibration]") {
  const auto x = normal_tokens(1500, 37, seed(), GENERATE(1e4, -1e4), 1);
  const auto got = statistics_of(x);
  const auto expected = exact(x);
  CHECK(worst_covariance_error(got, expected) < 0x1p-18);
  for (std::size_t c = 0; c < 37; ++c) CHECK(got.mean[c] == static_cast<float>(expected.mean[c]));
}

TEST_CASE("a mean that drifts by 10^4 deviations, after a silent start, costs no accuracy", "[calibration]") {
  auto x = normal_tokens(5 * tile, 9, seed());
  for (std::int64_t t = 0; t < x.rows(); ++t)
    for (std::int64_t c = 0; c < 9; ++c)
      x(t, c) = t < tile ? 0.0F : x(t, c) + 1e4F * static_cast<float>(c % 2) * static_cast<float>(t / tile);
  const auto got = statistics_of(x);
  CHECK(worst_covariance_error(got, exact(x)) < 0x1p-18);
  // Between columns that do not drift, and within the last tile alone, nothing of the drift is to be seen.
  const auto last = x.view().rows_from(4 * tile, tile);
  CHECK(worst_covariance_error(statistics_of(last), exact(last)) < 0x1p-18);
}

TEST_CASE("batches and threads change no bit", "[calibration]") {
  const auto columns = GENERATE(1, 70);
  const auto x = normal_tokens(3 * tile + 77, columns, seed(), 100);
  const auto expected = statistics_of(x, 1);
  miq::random_stream random(seed());
  for (const int threads : {1, 2, 5}) {
    const miq::host_executor exec({.threads = threads});
    for (const std::uint64_t longest : {std::uint64_t{1}, std::uint64_t{40}, std::uint64_t{1700}}) {
      accumulator seen(columns);
      for (std::int64_t t = 0; t < x.rows();) {
        const auto count = std::min(x.rows() - t, static_cast<std::int64_t>(1 + random.below(longest)));
        seen.add(exec, x.view().rows_from(t, count));
        t += count;
        if (random.below(8) == 0) seen.add(exec, miq::matrix_view<const float>(nullptr, 0, columns));
        if (random.below(50) == 0) (void)seen.finish(exec);  // looking does not touch
      }
      CAPTURE(threads, longest);
      CHECK(seen.tokens() == x.rows());
      CHECK(same_bits(seen.finish(exec), expected));
    }
  }
}

TEST_CASE("rows may lie apart", "[calibration]") {
  const auto wide = normal_tokens(700, 50, seed());
  const miq::matrix_view<const float> part(wide.data() + 5, 700, 33, 50);
  CHECK(same_bits(statistics_of(part), statistics_of(miq::matrix<float>(part))));
}

TEST_CASE("the order of columns changes no bit", "[calibration]") {
  const std::int64_t columns = 97;
  const auto x = normal_tokens(tile + 300, columns, seed(), 7);
  miq::matrix<float> turned(x.rows(), columns);
  const auto from = [&](std::int64_t c) { return (c * 31 + 5) % columns; };
  for (std::int64_t t = 0; t < x.rows(); ++t)
    for (std::int64_t c = 0; c < columns; ++c) turned(t, c) = x(t, from(c));
  const auto a = statistics_of(x), b = statistics_of(turned);
  for (std::int64_t i = 0; i < columns; ++i)
    for (std::int64_t j = 0; j < columns; ++j) REQUIRE(b.covariance(i, j) == a.covariance(from(i), from(j)));
}

TEST_CASE("powers of two scale statistics exactly", "[calibration]") {
  auto x = normal_tokens(tile + 9, 20, seed(), 3);
  const auto a = statistics_of(x);
  for (std::int64_t t = 0; t < x.rows(); ++t)
    for (std::int64_t c = 0; c < 20; ++c) x(t, c) *= c % 2 == 0 ? 4.0F : -0.5F;
  const auto b = statistics_of(x);
  for (std::int64_t i = 0; i < 20; ++i)
    for (std::int64_t j = 0; j < 20; ++j)
      REQUIRE(b.covariance(i, j) == a.covariance(i, j) * (i % 2 == 0 ? 4.0F : -0.5F) * (j % 2 == 0 ? 4.0F : -0.5F));
}

TEST_CASE("dead, constant, equal and opposite columns are exact", "[calibration]") {
  const auto tokens = GENERATE(1, 2, 511, 512, 1729);
  const std::int64_t columns = 70;
  auto x = normal_tokens(tokens, columns, seed(), 1);
  for (std::int64_t t = 0; t < tokens; ++t) {
    x(t, 3) = 0.0F;
    x(t, 66) = t % 2 == 0 ? 0.0F : -0.0F;
    x(t, 4) = 0.1F;  // no sum of it is exact in float
    x(t, 67) = -12345.678F;
    x(t, 65) = x(t, 1);
    x(t, 68) = -x(t, 1);
  }
  const auto s = statistics_of(x);
  for (const std::size_t c : {std::size_t{3}, std::size_t{66}, std::size_t{4}, std::size_t{67}}) {
    const auto k = static_cast<std::int64_t>(c);
    CHECK(s.is_constant(k));
    CHECK(s.is_dead(k) == (c == 3 || c == 66));
    CHECK(s.mean[c] == x(0, k));
    CHECK(s.mean_absolute[c] == std::abs(x(0, k)));
    for (std::int64_t j = 0; j < columns; ++j) REQUIRE((s.covariance(k, j) == 0.0F && s.covariance(j, k) == 0.0F));
  }
  CHECK(s.is_constant(1) == (tokens == 1));
  for (std::int64_t j = 0; j < columns; ++j) {
    if (j == 68 || j == 65 || j == 1) continue;
    REQUIRE(s.covariance(65, j) == s.covariance(1, j));
    REQUIRE(s.covariance(68, j) == -s.covariance(1, j));
  }
  CHECK(s.covariance(1, 65) == s.covariance(1, 1));
  CHECK(s.covariance(65, 65) == s.covariance(1, 1));
  CHECK(s.covariance(1, 68) == -s.covariance(1, 1));
}

TEST_CASE("a value that cannot be used is named and changes nothing", "[calibration]") {
  const miq::host_executor exec({.threads = 2});
  const std::int64_t columns = GENERATE(1, 19, 100);
  accumulator seen(columns, {.sample_tokens = 5, .seed = 3});
  seen.add(exec, normal_tokens(tile + 20, columns, seed()));
  const auto before = bytes_of(seen);
  const auto bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), 0x1.000002p58F, -0x1p100F);
  auto x = normal_tokens(2 * tile, columns, seed());
  const std::int64_t token = tile + 33, column = columns - 1;
  x(token, column) = bad;
  x(token + 1, 0) = bad;  // not the first
  CHECK_THROWS_AS(seen.add(exec, x), miq::invalid_argument);
  CHECK_THROWS_WITH(seen.add(exec, x), contains("accumulator::add: batch") &&
                                           contains("at token " + std::to_string(token) + " of the batch") &&
                                           contains("column " + std::to_string(column)));
  CHECK(bytes_of(seen) == before);
  CHECK_THROWS_WITH(
      seen.add(exec, miq::matrix<float>(3, columns + 1)),
      contains("[tokens, " + std::to_string(columns) + "]") && contains("[3, " + std::to_string(columns + 1) + "]"));
  CHECK(bytes_of(seen) == before);
}

TEST_CASE("the largest magnitudes do not overflow", "[calibration]") {
  miq::matrix<float> x(tile + 100, 3);
  for (std::int64_t t = 0; t < x.rows(); ++t)
    for (std::int64_t c = 0; c < 3; ++c)
      x(t, c) = (t + c) % 2 == 0 ? accumulator::max_magnitude : -accumulator::max_magnitude;
  const auto s = statistics_of(x);
  CHECK(s.covariance(0, 0) == 0x1p116F);  // an even number of tokens: mean 0
  CHECK(s.covariance(0, 1) == -0x1p116F);
  CHECK(s.mean_absolute[2] == 0x1p58F);
  miq::matrix<float> hessian(3, 3);
  miq::calibration::hessian(miq::host_executor({.threads = 1}), s, hessian.view());
  CHECK(hessian(0, 2) == 0x1p117F);
}

TEST_CASE("refused memory changes nothing", "[calibration]") {
  const auto first = normal_tokens(300, 10, seed()), second = normal_tokens(tile, 10, seed());
  bool completed = false;
  for (int allowed = 0; !completed; ++allowed) {
    REQUIRE(allowed < 100);
    failing_resource memory(1000 + allowed);
    accumulator seen(10, {.sample_tokens = 400}, &memory);
    const miq::host_executor calm({.threads = 1});
    seen.add(calm, first);
    const auto before = bytes_of(seen);
    // Only now few allocations remain, for the accumulator and the executor alike.
    failing_resource scratch(allowed);
    const miq::host_executor exec({.threads = 1, .resource = &scratch});
    try {
      seen.add(exec, second);
      completed = true;
      CHECK(seen.tokens() == 300 + tile);
    } catch (const std::bad_alloc&) {
      CHECK(bytes_of(seen) == before);
    }
  }
  completed = false;
  for (int allowed = 0; !completed; ++allowed) {
    REQUIRE(allowed < 100);
    failing_resource memory(allowed);
    const miq::host_executor exec({.threads = 1});
    accumulator seen(10, {.sample_tokens = 400}, &memory);
    std::string before = bytes_of(seen);
    try {
      seen.add(exec, first);
      before = bytes_of(seen);
      seen.add(exec, second);
      completed = true;
    } catch (const std::bad_alloc&) {
      CHECK(memory.refused());
      CHECK(bytes_of(seen) == before);
    }
  }
}

TEST_CASE("impossible accumulators are refused by name", "[calibration]") {
  CHECK_THROWS_WITH(accumulator(0), contains("columns") && contains("got 0"));
  CHECK_THROWS_AS(accumulator(-1), miq::invalid_argument);
  CHECK_THROWS_AS(accumulator((std::int64_t{1} << 24) + 1), miq::invalid_argument);
  CHECK_THROWS_WITH(accumulator(3, {.sample_tokens = -1}), contains("sample_tokens") && contains("-1"));
  CHECK_THROWS_WITH(accumulator(3, {.first_token = -7}), contains("first_token") && contains("-7"));
  const miq::host_executor exec({.threads = 1});
  CHECK_THROWS_WITH(accumulator(3).finish(exec), contains("finish") && contains("1 token"));
}

TEST_CASE("copies are independent, a moved-from accumulator is empty", "[calibration]") {
  const miq::host_executor exec({.threads = 2});
  const auto x = normal_tokens(tile + 50, 12, seed()), more = normal_tokens(tile, 12, seed());
  std::pmr::monotonic_buffer_resource other;
  accumulator a(12, {.sample_tokens = 4}, &other);
  a.add(exec, x);
  const auto before = bytes_of(a);
  accumulator b(a), c(12);
  c = a;
  b.add(exec, more);
  CHECK(bytes_of(a) == before);
  CHECK(bytes_of(c) == before);
  accumulator d(std::move(a));
  CHECK(bytes_of(d) == before);
  CHECK(a.tokens() == 0);  // NOLINT(bugprone-use-after-move): that is what is tested
  a.add(exec, x);
  CHECK(same_bits(a.finish(exec), d.finish(exec)));
  d = std::move(b);
  CHECK(d.tokens() == x.rows() + more.rows());
}

TEST_CASE("blocks of the upper triangle are numbered without gaps", "[calibration]") {
  using namespace miq::calibration::detail;
  for (std::int64_t blocks = 1; blocks < 70; ++blocks) {
    std::int64_t place = 0;
    for (std::int64_t i = 0; i < blocks; ++i)
      for (std::int64_t j = i; j < blocks; ++j, ++place) {
        REQUIRE(upper_block_place(i, j, blocks) == place);
        const auto at = upper_block_at(place, blocks);
        REQUIRE((at.row == i && at.column == j));
      }
    REQUIRE(place == upper_blocks_of(blocks));
  }
  const std::int64_t many = 262144;  // 2^24 columns
  for (const std::int64_t row : {std::int64_t{0}, std::int64_t{1}, many / 2, many - 1}) {
    const auto at = upper_block_at(upper_block_place(row, many - 1, many), many);
    CHECK((at.row == row && at.column == many - 1));
    const auto first = upper_block_at(upper_block_place(row, row, many), many);
    CHECK((first.row == row && first.column == row));
  }
}
