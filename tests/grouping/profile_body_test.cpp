// The body that makes affinities and profiles of normalised information, against the plain loop.
#include <miq/grouping/detail/group_by_information/body.hpp>

#include "grouping/grouping_inputs.hpp"
#include "test_support/host_machine.hpp"

TEST_CASE("the body of profiles clips, counts and sets the diagonal", "[grouping][body]") {
  const auto lanes = GENERATE(0, 1, 8);
  for (const std::int64_t n : {1, 2, 31, 97}) {
    auto m = miq_test::random_symmetric(miq_test::seed(), n);
    if (n > 2)
      for (std::int64_t j = 0; j < n; ++j) m(1, j) = m(j, 1) = -1.0F;  // nothing positive is left
    const auto before = m;
    std::int64_t clipped = 0, isolated = 0, expected_clipped = 0, expected_isolated = 0;
    miq_test::host_machine(lanes).launch("",
                                         miq::grouping::detail::profile_body{m.data(), n, 0.5F, &clipped, &isolated});
    for (std::int64_t i = 0; i < n; ++i) {
      bool alone = true;
      for (std::int64_t j = 0; j < n; ++j) {
        REQUIRE(m(i, j) == (i == j ? 0.5F : std::max(before(i, j), 0.0F)));
        if (i < j && before(i, j) < 0) ++expected_clipped;
        if (i != j && before(i, j) > 0) alone = false;
      }
      expected_isolated += alone ? 1 : 0;
    }
    CHECK(clipped == expected_clipped);
    CHECK(isolated == expected_isolated);
  }
}
