#include <miq/information/rank_correlation.cuh>
