# miq::cuda: headers with kernels; miq::cuda_precompiled: a static library that plain C++ can call.
#
# Sets MIQ_HAS_CUDA. miq::cuda itself needs only the toolkit's headers and libraries; nvcc is needed for what is compiled
# here: the precompiled library and the device tests.

set(MIQ_HAS_CUDA FALSE)

# `#include <miq/obs/sweep.cuh>` finds kernels/obs/sweep.cuh: installed, both roots are one folder. Tests
# of the simulated device need it without CUDA too.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/kernels_include)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/kernels ${PROJECT_BINARY_DIR}/kernels_include/miq SYMBOLIC)

if(NOT MIQ_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "MIQ_CUDA must be AUTO, ON or OFF, got ${MIQ_CUDA}")
endif()
if(MIQ_CUDA STREQUAL "OFF" OR (MIQ_CUDA STREQUAL "AUTO" AND (MIQ_SANITIZE OR NOT PROJECT_IS_TOP_LEVEL)))
  return()
endif()

include(CheckLanguage)
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  # One architecture builds fast; the preset cuda names more.
  set(CMAKE_CUDA_ARCHITECTURES 90)
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(MIQ_CUDA STREQUAL "ON")
    message(FATAL_ERROR "MIQ_CUDA is ON, but no CUDA compiler was found; set CMAKE_CUDA_COMPILER")
  endif()
  message(STATUS "miq: no CUDA compiler found, building without the CUDA component")
  return()
endif()
enable_language(CUDA)
find_package(CUDAToolkit 12.4 REQUIRED)
set(MIQ_HAS_CUDA TRUE)

add_library(miq_cuda INTERFACE)
add_library(miq::cuda ALIAS miq_cuda)
set_target_properties(miq_cuda PROPERTIES EXPORT_NAME cuda)
target_include_directories(miq_cuda INTERFACE $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/kernels_include>)
target_link_libraries(miq_cuda INTERFACE miq_core CUDA::cudart CUDA::cublas CUDA::cusolver)

if(MIQ_CUDA_PRECOMPILED)
  file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/precompiled/*.cu)
  add_library(miq_cuda_precompiled STATIC ${cuda_sources})
  add_library(miq::cuda_precompiled ALIAS miq_cuda_precompiled)
  set_target_properties(
    miq_cuda_precompiled
    PROPERTIES EXPORT_NAME cuda_precompiled
               OUTPUT_NAME miq_cuda
               CUDA_VISIBILITY_PRESET hidden
               CXX_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON
               POSITION_INDEPENDENT_CODE ON)
  # EIGEN_NO_CUDA: what is left of Eigen is for host code; without it nvcc warns about Eigen's annotations.
  # Eigen under another name: see MiqPrecompiled.cmake.
  target_compile_definitions(miq_cuda_precompiled PRIVATE MIQ_CUDA_PRECOMPILED EIGEN_NO_CUDA
                                                          Eigen=miq_cuda_precompiled_Eigen)
  # An option and not CUDA_STANDARD: CMake 3.25 does not know how to ask nvcc 13 for C++20.
  target_compile_options(miq_cuda_precompiled PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
  target_link_libraries(miq_cuda_precompiled PUBLIC miq_cuda miq_precompiled)
endif()
