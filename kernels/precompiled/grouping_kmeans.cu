#include <miq/grouping/kmeans.cuh>
