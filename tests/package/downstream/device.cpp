// Plain C++ that calls device functions of the precompiled library.
#include <miq/cuda.hpp>

#include "device.hpp"
