#include "instantiate_fit.cuh"

MIQ_INSTANTIATE_FIT(miq::bfloat16);
