// miq's packed layer: any bytes decode to finite weights, and pack to themselves again, or are refused.
#include <cmath>
#include <cstdlib>

#include <miq/quantization/packed_layer.hpp>

#include "fuzz/target.hpp"
#include "quantization/random_layer.hpp"

namespace q = miq::quantization;

namespace {

const miq::host_executor& exec() {
  static const miq::host_executor instance({.threads = 1});
  return instance;
}

void check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

std::vector<std::string> miq_fuzz::seeds() {
  std::vector<std::string> result;
  const auto add = [&](std::span<const std::byte> bytes) {
    result.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  miq::random_stream random(1);
  using enum q::grid_layout;
  for (const auto layout : {per_row_and_group, per_group, per_column, row_by_group, row_by_column})
    for (int symmetry = 0; symmetry < 3; ++symmetry)
      for (int format = 0; format < 3; ++format) {
        const miq_test::layer_kind kind{layout, static_cast<q::grid_symmetry>(symmetry),
                                        static_cast<q::scale_format>(format)};
        const std::int64_t groups = symmetry == 0 ? 1 : (symmetry == 1 ? 3 : 9);
        add(q::pack_layer(exec(),
                          miq_test::make_random_layer(random, 5, 9, groups, format == 0 ? 1 : 0.5, kind).source()));
      }
  miq::matrix<float> weights(3, 7, 0.25F);
  miq::matrix<std::uint8_t> kept(3, 7, 1);
  add(q::pack_pruned_layer(exec(), weights.view(), kept.view()));
  kept(1, 1) = 0;
  add(q::pack_pruned_layer(exec(), weights.view(), kept.view()));
  return result;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  try {
    const q::packed_layer_view view(bytes);
    if (view.rows() * view.columns() > 1 << 22) return 0;
    const auto weights = q::unpack_layer(exec(), view);
    for (std::int64_t i = 0; i < weights.size(); ++i) check(std::isfinite(weights.data()[i]));
    std::int64_t padded = 128;
    for (std::size_t i = 0; i < q::packed_sections; ++i)
      padded += static_cast<std::int64_t>(view.section(static_cast<q::packed_section>(i)).size());
    check(padded == static_cast<std::int64_t>(size));
    if (!view.quantised()) return 0;
    miq::matrix<std::uint8_t> codes(view.rows(), view.columns());
    miq::matrix<std::uint8_t> kept(view.rows(), view.columns());
    q::unpack_layer_codes(exec(), view, codes.view(), kept.view());
    const auto grids = view.grids();
    std::vector<std::byte> again;
    try {
      again = q::pack_layer(exec(), {codes.view(), kept.view(), grids,
                                     miq::vector_view<const std::int32_t>(view.labels()), view.groups()});
    } catch (const miq::invalid_argument&) {
      std::abort();  // what was read can be written
    }
    const auto weights_again = q::unpack_layer(exec(), q::packed_layer_view(again));
    for (std::int64_t i = 0; i < weights.size(); ++i) check(weights.data()[i] == weights_again.data()[i]);
  } catch (const miq::invalid_argument&) {
  }
  return 0;
}
