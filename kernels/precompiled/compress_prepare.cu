#include <miq/detail/prepare.cuh>
