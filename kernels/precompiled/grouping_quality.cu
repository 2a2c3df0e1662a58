#include <miq/grouping/quality.cuh>
