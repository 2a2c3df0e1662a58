// Views of mdspans and back: of std::mdspan, or CCCL's where the standard library has none.
#include <version>
#if defined(__cpp_lib_mdspan)
#include <mdspan>
#define MIQ_TEST_MDSPAN std
#elif __has_include(<cuda/std/mdspan>)
#include <cuda/std/mdspan>
#define MIQ_TEST_MDSPAN cuda::std
#endif
#include <miq/core/matrix.hpp>
#include <miq/interop/mdspan.hpp>

#include "test_support/catch.hpp"

#if defined(MIQ_TEST_MDSPAN)
namespace md = MIQ_TEST_MDSPAN;
using extents = md::dextents<std::int64_t, 2>;

TEST_CASE("views of mdspans with contiguous rows", "[interop]") {
  float data[60] = {};
  const md::mdspan<float, extents> plain(data, extents(5, 7));
  const auto view = miq::interop::view_of(plain);
  static_assert(std::is_same_v<decltype(view), const miq::matrix_view<float>>);
  CHECK(view.rows() == 5);
  CHECK(view.leading() == 7);
  CHECK(&view(3, 2) == data + 3 * 7 + 2);
  using strided = md::mdspan<const float, extents, md::layout_stride>;
  const strided padded(data, strided::mapping_type(extents(5, 7), md::array<std::int64_t, 2>{10, 1}));
  CHECK(&miq::interop::view_of(padded)(4, 6) == data + 46);
  static_assert(std::is_same_v<decltype(miq::interop::view_of<miq::device_memory>(padded)),
                               miq::matrix_view<const float, miq::device_memory>>);
  const strided columns(data, strided::mapping_type(extents(5, 7), md::array<std::int64_t, 2>{1, 5}));
  CHECK_THROWS_WITH(miq::interop::view_of(columns), miq_test::contains("stride of 5"));
  const strided overlapping(data, strided::mapping_type(extents(5, 7), md::array<std::int64_t, 2>{3, 1}));
  CHECK_THROWS_WITH(miq::interop::view_of(overlapping), miq_test::contains("must not overlap"));
  const md::mdspan<float, md::dextents<std::int64_t, 1>> vector(data, md::dextents<std::int64_t, 1>(9));
  CHECK(miq::interop::vector_view_of(vector).size() == 9);
}

TEST_CASE("mdspans of views", "[interop]") {
  miq::matrix<float> m(4, 6);
  const miq::matrix_view<float> part(m.data(), 3, 4, 6);
  using strided = md::mdspan<float, extents, md::layout_stride>;
  const auto span = miq::interop::mdspan_of<strided>(part);
  CHECK(span.data_handle() == m.data());
  CHECK(span.stride(0) == 6);
  CHECK(span.extent(1) == 4);
  using plain = md::mdspan<float, extents>;
  CHECK(miq::interop::mdspan_of<plain>(m.view()).extent(0) == 4);
  using by_column = md::mdspan<float, extents, md::layout_left>;
  CHECK_THROWS_WITH(miq::interop::mdspan_of<by_column>(m.view()), miq_test::contains("row-major"));
  CHECK_THROWS_WITH(miq::interop::mdspan_of<plain>(part), miq_test::contains("leading dimension of 6 for 4"));
}
#else
TEST_CASE("views of mdspans", "[interop]") { WARN("skipped: neither <mdspan> nor <cuda/std/mdspan> is there"); }
#endif
