// pipeline/layer_solver.hpp: where layers are compressed: on the host, or on a CUDA device.
#pragma once

#include <memory>

#include <miq/compress.hpp>

#include "compress_opt/options.hpp"

namespace compress_opt {

/// `miq::prepare` and `miq::compress` on some machine, from and to host memory.
class layer_solver {
 public:
  virtual ~layer_solver() = default;

  /// Everything that `miq::prepared_inputs` holds but the Hessian, which may stay on the machine. What is returned is
  /// handed to `compress`, with drift and groups that may have been set meanwhile, before the next call of `prepare`.
  virtual miq::prepared_inputs prepare(const miq::calibration::statistics& seen, miq::matrix_view<const float> samples,
                                       const miq::compress_options& how, const miq::progress_callback& progress) = 0;
  virtual miq::compressed_layer compress(miq::matrix_view<const float> weights,
                                         const miq::calibration::statistics& seen, const miq::prepared_inputs& shared,
                                         const miq::compress_options& how, const miq::progress_callback& progress) = 0;
};

/// `exec` must outlive it.
std::unique_ptr<layer_solver> make_host_solver(const miq::host_executor& exec);

/// @throws option_error     if the program was built without CUDA
/// @throws miq::cuda_error  if there is no device
std::unique_ptr<layer_solver> make_cuda_solver();

}  // namespace compress_opt
