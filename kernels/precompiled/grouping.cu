#include <miq/grouping/kmeans.cuh>
#include <miq/grouping/silhouette.cuh>
