// In place of cuda_solver.cpp where miq was built without CUDA.
#include "compress_opt/pipeline/layer_solver.hpp"

namespace compress_opt {

std::unique_ptr<layer_solver> make_cuda_solver() {
  throw option_error("--device: this program was built without CUDA (nvcc was not found, or MIQ_CUDA is OFF)");
}

}  // namespace compress_opt
