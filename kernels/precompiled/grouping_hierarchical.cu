#include <miq/grouping/hierarchical.cuh>
