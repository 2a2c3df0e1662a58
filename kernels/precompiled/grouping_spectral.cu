#include <miq/grouping/spectral.cuh>
