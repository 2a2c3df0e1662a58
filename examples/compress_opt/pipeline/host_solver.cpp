#include "compress_opt/pipeline/layer_solver.hpp"

namespace compress_opt {

namespace {

class host_solver final : public layer_solver {
 public:
  explicit host_solver(const miq::host_executor& exec) : exec_(exec) {}

  miq::prepared_inputs prepare(const miq::calibration::statistics& seen, miq::matrix_view<const float> samples,
                               const miq::compress_options& how, const miq::progress_callback& progress) override {
    return miq::prepare(exec_, seen.view(), samples, how, progress);
  }
  miq::compressed_layer compress(miq::matrix_view<const float> weights, const miq::calibration::statistics& seen,
                                 const miq::prepared_inputs& shared, const miq::compress_options& how,
                                 const miq::progress_callback& progress) override {
    return miq::compress(exec_, weights, seen.view(), shared, how, progress);
  }

 private:
  const miq::host_executor& exec_;
};

}  // namespace

std::unique_ptr<layer_solver> make_host_solver(const miq::host_executor& exec) {
  return std::make_unique<host_solver>(exec);
}

}  // namespace compress_opt
