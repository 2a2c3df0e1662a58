#include <miq/grouping/kmeans.cuh>
#include <miq/grouping/quality.cuh>
#include <miq/grouping/silhouette.cuh>
