#include <miq/obs/mask_search.cuh>
