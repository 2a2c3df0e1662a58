// core/version.hpp: the version, and the macros that keep two builds of the library apart in one program.
#pragma once

#define MIQ_VERSION_MAJOR 0
#define MIQ_VERSION_MINOR 1
#define MIQ_VERSION_PATCH 0

/// Marks the bodies that run on both machines. Expands to nothing where a host compiler reads the header alone.
#if defined(__CUDACC__)
#define MIQ_HOST_DEVICE __host__ __device__
#else
#define MIQ_HOST_DEVICE
#endif

/// In front of public functions that are no templates: inline where their bodies come with the header. Units that link
/// `miq::precompiled` (which defines MIQ_PRECOMPILED) read declarations alone; the bodies are in the library.
#if defined(MIQ_PRECOMPILED)
#define MIQ_API
#else
#define MIQ_API inline
#endif

/// Hand-vectorised code lives in an inline namespace named after the instruction set it was compiled for, so that
/// translation units with different flags can be linked into one program without sharing each other's inline bodies.
#if defined(__AVX512F__)
#define MIQ_INSTRUCTION_SET avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define MIQ_INSTRUCTION_SET avx2
#elif defined(__AVX__)
#define MIQ_INSTRUCTION_SET avx
#elif defined(__ARM_FEATURE_SVE)
#define MIQ_INSTRUCTION_SET sve
#elif defined(__ARM_NEON)
#define MIQ_INSTRUCTION_SET neon
#else
#define MIQ_INSTRUCTION_SET baseline
#endif

#if defined(__FAST_MATH__)
#error "miq relies on IEEE arithmetic (rounding, NaN): compile without -ffast-math"
#endif

#define MIQ_STRINGIFY_(x) #x
#define MIQ_STRINGIFY(x) MIQ_STRINGIFY_(x)

namespace miq {

/// Name of the instruction set that the including translation unit was compiled for, for reports and benchmarks.
constexpr const char* instruction_set_name() { return MIQ_STRINGIFY(MIQ_INSTRUCTION_SET); }

}  // namespace miq
