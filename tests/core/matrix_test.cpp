// The owning matrix: alignment, initial values, copies, moves, and where its memory comes from.
#include "test_support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>
#include <type_traits>
#include <utility>

#include <miq/core/matrix.hpp>

namespace {

/// Counts what passes through, and refuses beyond a number of bytes.
class counting_resource : public std::pmr::memory_resource {
 public:
  std::size_t allocations = 0;
  std::size_t deallocations = 0;
  std::size_t bytes = 0;  // now held
  std::size_t limit = SIZE_MAX;

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    if (size > limit) throw std::bad_alloc();
    ++allocations;
    bytes += size;
    return std::pmr::new_delete_resource()->allocate(size, alignment);
  }
  void do_deallocate(void* data, std::size_t size, std::size_t alignment) override {
    ++deallocations;
    bytes -= size;
    std::pmr::new_delete_resource()->deallocate(data, size, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

TEST_CASE("a matrix is value-initialised, contiguous and aligned", "[core][matrix]") {
  const std::int64_t rows = GENERATE(1, 3, 17);
  const std::int64_t columns = GENERATE(1, 5, 64);
  const miq::matrix<float> m(rows, columns);
  CHECK(m.rows() == rows);
  CHECK(m.columns() == columns);
  CHECK(m.size() == rows * columns);
  CHECK(reinterpret_cast<std::uintptr_t>(m.data()) % 64 == 0);
  CHECK(m.view().contiguous());
  int nonzero = 0;
  for (std::int64_t i = 0; i < m.size(); ++i)
    if (m.data()[i] != 0) ++nonzero;
  CHECK(nonzero == 0);
  CHECK(&m(rows - 1, columns - 1) == m.data() + m.size() - 1);
}

TEST_CASE("a matrix of a given value", "[core][matrix]") {
  const miq::matrix<int> m(2, 3, 7);
  CHECK(m(0, 0) == 7);
  CHECK(m(1, 2) == 7);
}

TEST_CASE("empty matrices own nothing", "[core][matrix]") {
  counting_resource resource;
  {
    const miq::matrix<float> none;
    const miq::matrix<float> no_rows(0, 5, &resource);
    const miq::matrix<float> no_columns(5, 0, &resource);
    CHECK(none.empty());
    CHECK(no_rows.empty());
    CHECK(no_rows.columns() == 5);
    CHECK(no_columns.empty());
    CHECK(no_columns.rows() == 5);
    CHECK(no_columns.view().empty());
    CHECK(miq::matrix<float>(no_rows).columns() == 5);
  }
  CHECK(resource.allocations == 0);
  CHECK(resource.deallocations == 0);
}

TEST_CASE("memory comes from the given resource and goes back to it", "[core][matrix]") {
  counting_resource resource;
  {
    miq::matrix<double> m(3, 5, &resource);
    CHECK(resource.allocations == 1);
    CHECK(resource.bytes == 3 * 5 * sizeof(double));
    miq::matrix<double> moved(std::move(m));
    CHECK(resource.allocations == 1);
    CHECK(m.data() == nullptr);  // NOLINT: what a move leaves behind is promised to be empty
    CHECK(m.rows() == 0);
    miq::matrix<double> assigned(2, 2, &resource);
    CHECK(resource.allocations == 2);
    assigned = std::move(moved);
    CHECK(resource.allocations == 2);
    CHECK(assigned.rows() == 3);
    CHECK(resource.bytes == 3 * 5 * sizeof(double));
  }
  CHECK(resource.bytes == 0);
  CHECK(resource.allocations == resource.deallocations);
}

TEST_CASE("copies are deep and use the default resource", "[core][matrix]") {
  counting_resource resource;
  miq::matrix<int> original(2, 3, 1, &resource);
  original(1, 2) = 9;
  const std::size_t before = resource.allocations;
  miq::matrix<int> copy(original);
  CHECK(resource.allocations == before);
  CHECK(copy(1, 2) == 9);
  copy(0, 0) = -1;
  CHECK(original(0, 0) == 1);
  original = copy;
  CHECK(original(0, 0) == -1);
  const auto& itself = original;
  original = itself;
  CHECK(original(1, 2) == 9);
}

TEST_CASE("a matrix made from a view drops the padding between rows", "[core][matrix]") {
  const float data[] = {1, 2, -9, 3, 4, -9};
  counting_resource resource;
  const miq::matrix<float> m(miq::matrix_view<const float>(data, 2, 2, 3), &resource);
  CHECK(m.rows() == 2);
  CHECK(m.columns() == 2);
  CHECK(m(0, 0) == 1);
  CHECK(m(0, 1) == 2);
  CHECK(m(1, 0) == 3);
  CHECK(m(1, 1) == 4);
  CHECK(resource.bytes == 4 * sizeof(float));
}

TEST_CASE("a resource that has no memory is heard, and nothing leaks", "[core][matrix]") {
  counting_resource resource;
  resource.limit = 100;
  CHECK_THROWS_AS(miq::matrix<float>(10, 10, &resource), std::bad_alloc);
  CHECK(resource.bytes == 0);
}

TEST_CASE("a matrix refuses extents that are negative or beyond all memory", "[core][matrix]") {
  constexpr std::int64_t huge = std::int64_t{1} << 40;
  CHECK_THROWS_AS(miq::matrix<float>(-1, 1), miq::invalid_argument);
  CHECK_THROWS_AS(miq::matrix<float>(1, -1), miq::invalid_argument);
  CHECK_THROWS_WITH(miq::matrix<float>(-1, 4), miq_test::contains("[-1, 4]"));
  CHECK_THROWS_AS(miq::matrix<float>(huge, huge), miq::invalid_argument);                    // rows * columns overflows
  CHECK_THROWS_AS(miq::matrix<double>(huge, std::int64_t{1} << 21), miq::invalid_argument);  // the bytes overflow
}

TEST_CASE("a matrix converts to views of its elements", "[core][matrix]") {
  miq::matrix<float> m(2, 2, 1.0F);
  const miq::matrix_view<float> mutable_view = m;
  mutable_view(1, 0) = 3;
  const auto& constant = m;
  const miq::matrix_view<const float> view = constant;
  CHECK(view(1, 0) == 3);
  const miq::matrix_view<const float> from_mutable = m;
  CHECK(from_mutable.data() == m.data());
  STATIC_REQUIRE(!std::is_convertible_v<const miq::matrix<float>&, miq::matrix_view<float>>);
  STATIC_REQUIRE(!std::is_convertible_v<miq::matrix<float>&, miq::matrix_view<float, miq::device_memory>>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<miq::matrix<float>>);
}
