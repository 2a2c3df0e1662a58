#include <miq/information/correlation.cuh>
