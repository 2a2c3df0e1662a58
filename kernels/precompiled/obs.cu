#include <miq/obs/factor.cuh>
#include <miq/obs/mask.cuh>
#include <miq/obs/sweep.cuh>
#include <miq/obs/target.cuh>
