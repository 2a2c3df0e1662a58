#include <miq/detail/compress/prepare.cuh>
