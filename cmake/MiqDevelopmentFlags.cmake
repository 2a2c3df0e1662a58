# miq_development: flags of tests, benchmarks and examples. Never part of miq::core: consumers choose their own.

add_library(miq_development INTERFACE)
add_library(miq::development ALIAS miq_development)

set(miq_warnings
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    # GCC 12 finds fault with its own AVX-512 intrinsics (GCC bug 105593) and std::string (bug 105651), and later
    # versions with their standard library in sanitized builds.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-restrict>)
target_compile_options(
  miq_development
  INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${miq_warnings}>
            $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${MIQ_WARNINGS_AS_ERRORS}>>:-Werror>
            $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${MIQ_NATIVE}>>:-march=native>
            # What nvcc hands to the host's compiler is not pedantic.
            $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>
            $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${MIQ_WARNINGS_AS_ERRORS}>>:-Werror=all-warnings>)

if(MIQ_SANITIZE)
  if(NOT MIQ_SANITIZE MATCHES "^(address|undefined|address,undefined|thread)$")
    message(FATAL_ERROR "MIQ_SANITIZE must be address, undefined, address,undefined or thread, got ${MIQ_SANITIZE}")
  endif()
  target_compile_options(
    miq_development INTERFACE -fsanitize=${MIQ_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(miq_development INTERFACE -fsanitize=${MIQ_SANITIZE})
endif()
