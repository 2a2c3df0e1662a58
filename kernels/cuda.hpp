// cuda.hpp: everything that runs on a device, for plain C++ that links miq::cuda_precompiled, and for users' own `.cu`.
#pragma once

#include <miq/core/cuda_executor.hpp>
#include <miq/information/correlation_cuda.hpp>
