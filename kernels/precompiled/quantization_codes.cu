#include <miq/quantization/packing.cuh>
#include <miq/quantization/quantise.cuh>
