#include <miq/obs/refit.cuh>
