#include <miq/compress.cuh>
