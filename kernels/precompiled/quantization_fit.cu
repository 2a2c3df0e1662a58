#include <miq/quantization/fit.cuh>
