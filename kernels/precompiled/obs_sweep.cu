#include <miq/obs/sweep.cuh>
