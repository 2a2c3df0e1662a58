#include <miq/grouping/hierarchical.cuh>
#include <miq/grouping/spectral.cuh>
