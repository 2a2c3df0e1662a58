// Uses a part of the library: a mask by saliencies, which compiles in a moment.
#include <cstdint>
#include <iostream>
#include <vector>

#include <miq/core/matrix.hpp>
#include <miq/core/version.hpp>
#include <miq/obs/mask.hpp>

double sum_in_another_unit(const miq::host_executor& exec, miq::matrix_view<const float> values);

int main() {
  miq::matrix<float> weights(40, 64);
  for (std::int64_t r = 0; r < 40; ++r)
    for (std::int64_t c = 0; c < 64; ++c) weights(r, c) = static_cast<float>((r * 31 + c * 17) % 97) - 48;
  const std::vector<float> saliency(64, 1.0F);
  miq::matrix<std::uint8_t> kept(40, 64);

  const miq::host_executor exec({.threads = 2});
  const auto masked =
      miq::obs::select_mask(exec, weights.view(), saliency, kept.view(), {.scope = miq::obs::mask_scope::row});
  std::cout << "miq " << MIQ_VERSION_MAJOR << '.' << MIQ_VERSION_MINOR << '.' << MIQ_VERSION_PATCH << ", sparsity "
            << static_cast<double>(masked) / 2560 << ", sum " << sum_in_another_unit(exec, weights.view()) << '\n';
  return masked == 1280 ? 0 : 1;
}
