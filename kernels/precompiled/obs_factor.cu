#include <miq/obs/factor.cuh>
