// Loops of fixed length that a compiler is told to unroll, by each compiler's own word.
#pragma once

/// In front of a loop over the vectors of a strip, for host compilers. nvcc would warn of a pragma that it does not
/// know.
#if defined(__CUDACC__)
#define MIQ_UNROLL_VECTORS
#else
#define MIQ_UNROLL_VECTORS _Pragma("GCC unroll 8")
#endif

/// In front of a loop over an array that a device is to keep in registers; host compilers do not know the word.
#if defined(__CUDA_ARCH__)
#define MIQ_UNROLL_REGISTERS _Pragma("unroll")
#else
#define MIQ_UNROLL_REGISTERS
#endif
