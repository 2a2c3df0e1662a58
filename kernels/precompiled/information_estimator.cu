#include <miq/information/estimator.cuh>
