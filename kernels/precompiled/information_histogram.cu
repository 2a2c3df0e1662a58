#include <miq/information/histogram.cuh>
