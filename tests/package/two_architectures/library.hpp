// What the two libraries export.
#pragma once

#include <miq/core/cuda_executor.hpp>

extern "C" {
const char* namespace_of_80();
const char* namespace_of_90();
void information_of_80(const miq::cuda_executor& exec, const float* covariance, std::int64_t columns, float* mi);
void information_of_90(const miq::cuda_executor& exec, const float* covariance, std::int64_t columns, float* mi);
}
