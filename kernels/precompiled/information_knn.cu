#include <miq/information/knn.cuh>
