#include <miq/obs/mask.cuh>
