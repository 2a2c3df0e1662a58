// Layers compressed on a CUDA device: statistics and weights go there, what is stored comes back.
#include <optional>
#include <utility>

#include <miq/cuda.hpp>

#include "compress_opt/pipeline/layer_solver.hpp"

namespace compress_opt {

namespace {

using miq::device_memory;

class cuda_solver final : public layer_solver {
 public:
  miq::prepared_inputs prepare(const miq::calibration::statistics& seen, miq::matrix_view<const float> samples,
                               const miq::compress_options& how, const miq::progress_callback& progress) override {
    seen_.tokens = seen.tokens;
    seen_.covariance = there(seen.covariance.view());
    seen_.mean = there(seen.mean);
    seen_.mean_absolute = there(seen.mean_absolute);
    seen_.minimum = there(seen.minimum);
    seen_.maximum = there(seen.maximum);
    const auto tokens = there(samples);
    shared_ = miq::prepare(exec_, view(), tokens, how, progress);
    return miq::fetch(exec_, shared_);
  }

  miq::compressed_layer compress(miq::matrix_view<const float> weights, const miq::calibration::statistics&,
                                 const miq::prepared_inputs& shared, const miq::compress_options& how,
                                 const miq::progress_callback& progress) override {
    shared_.groups = shared.groups;
    if (shared.drift && !shared_.drift) {
      shared_.drift.emplace();
      shared_.drift->moment = there(shared.drift->moment.view());
      shared_.drift->second_mean = shared.drift->second_mean;
    }
    const auto given = there(weights);
    return miq::fetch(exec_, miq::compress(exec_, given, view(), shared_, how, progress));
  }

 private:
  struct device_statistics {
    std::int64_t tokens = 0;
    miq::device_matrix<float> covariance;
    miq::device_array<float> mean, mean_absolute, minimum, maximum;
  };

  miq::calibration::statistics_view<device_memory> view() const {
    return {seen_.tokens,         seen_.covariance.view(), seen_.mean.view(), seen_.mean_absolute.view(),
            seen_.minimum.view(), seen_.maximum.view()};
  }
  miq::device_matrix<float> there(miq::matrix_view<const float> from) const {
    miq::device_matrix<float> to(from.rows(), from.columns(), exec_.stream(), exec_.resource());
    miq::copy(exec_, from, to.view());
    return to;
  }
  miq::device_array<float> there(const std::vector<float>& from) const {
    miq::device_array<float> to(static_cast<std::int64_t>(from.size()), exec_.stream(), exec_.resource());
    miq::copy(exec_, miq::vector_view<const float>(from), to.view());
    return to;
  }

  miq::cuda_executor exec_{nullptr};  // the device's default stream: nothing else runs there
  device_statistics seen_;            // of the input that was prepared last
  miq::device_prepared_inputs shared_;
};

}  // namespace

std::unique_ptr<layer_solver> make_cuda_solver() { return std::make_unique<cuda_solver>(); }

}  // namespace compress_opt
