// A translation unit of a user's that compiles miq's kernels along.
#include <miq/information/correlation.cuh>

#include "device.hpp"
