#include <miq/grouping/silhouette.cuh>
