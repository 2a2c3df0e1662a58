#include <miq/information/affinity.cuh>
