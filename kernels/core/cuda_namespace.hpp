// core/cuda_namespace.hpp: the inline namespace that keeps device code of several builds apart in one process.
#pragma once

#include <miq/core/version.hpp>

/// All functions with device code stand in an inline namespace that names the version and the architectures they were
/// compiled for, so that two libraries of one process that were compiled for different devices do not share each
/// other's kernels (CUB does the same). Where a host compiler reads a header, and in the translation units of the
/// precompiled library, the name is that of the precompiled library.
#define MIQ_CUDA_JOIN_(a, b) a##_##b
#define MIQ_CUDA_JOIN(a, b) MIQ_CUDA_JOIN_(a, b)
#define MIQ_CUDA_JOIN_LIST_1(a) a
#define MIQ_CUDA_JOIN_LIST_2(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_1(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_3(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_2(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_4(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_3(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_5(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_4(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_6(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_5(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_7(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_6(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_8(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_7(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_9(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_8(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_10(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_9(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_11(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_10(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_12(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_11(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_13(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_12(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_14(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_13(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_15(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_14(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_16(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_15(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_17(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_16(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_18(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_17(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_19(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_18(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_20(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_19(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_21(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_20(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_22(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_21(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_23(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_22(__VA_ARGS__))
#define MIQ_CUDA_JOIN_LIST_24(a, ...) MIQ_CUDA_JOIN(a, MIQ_CUDA_JOIN_LIST_23(__VA_ARGS__))
#define MIQ_CUDA_COUNT_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, \
                        a21, a22, a23, a24, count, ...)                                                            \
  count
#define MIQ_CUDA_COUNT(...) \
  MIQ_CUDA_COUNT_(__VA_ARGS__, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define MIQ_CUDA_JOIN_COUNTED_(count, ...) MIQ_CUDA_JOIN_LIST_##count(__VA_ARGS__)
#define MIQ_CUDA_JOIN_COUNTED(count, ...) MIQ_CUDA_JOIN_COUNTED_(count, __VA_ARGS__)
#define MIQ_CUDA_JOIN_LIST(...) MIQ_CUDA_JOIN_COUNTED(MIQ_CUDA_COUNT(__VA_ARGS__), __VA_ARGS__)
#define MIQ_CUDA_VERSION \
  MIQ_CUDA_JOIN(cuda_v, MIQ_CUDA_JOIN(MIQ_VERSION_MAJOR, MIQ_CUDA_JOIN(MIQ_VERSION_MINOR, MIQ_VERSION_PATCH)))

#if defined(__CUDACC__) && defined(__CUDA_ARCH_LIST__) && !defined(MIQ_CUDA_PRECOMPILED)
#define MIQ_CUDA_NAMESPACE MIQ_CUDA_JOIN(MIQ_CUDA_VERSION, MIQ_CUDA_JOIN(sm, MIQ_CUDA_JOIN_LIST(__CUDA_ARCH_LIST__)))
/// In front of functions whose bodies stand in a `.cuh`: inline where the bodies are compiled along.
#define MIQ_CUDA_API inline
#else
#define MIQ_CUDA_NAMESPACE MIQ_CUDA_JOIN(MIQ_CUDA_VERSION, precompiled)
#define MIQ_CUDA_API
#endif
