#include <miq/obs/target.cuh>
