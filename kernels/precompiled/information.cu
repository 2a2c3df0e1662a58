#include <miq/information/affinity.cuh>
#include <miq/information/correlation.cuh>
#include <miq/information/histogram.cuh>
#include <miq/information/rank_correlation.cuh>
