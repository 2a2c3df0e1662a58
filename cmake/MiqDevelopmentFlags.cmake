# miq_development: flags of tests, benchmarks and examples. Never part of miq::core: consumers choose their own.

add_library(miq_development INTERFACE)
add_library(miq::development ALIAS miq_development)

target_compile_options(
  miq_development
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
            $<$<BOOL:${MIQ_WARNINGS_AS_ERRORS}>:-Werror>
            $<$<BOOL:${MIQ_NATIVE}>:-march=native>
            # GCC 12 finds fault with its own AVX-512 intrinsics (GCC bug 105593) and std::string (bug 105651), and later
            # versions with their standard library in sanitized builds.
            $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-restrict>)

if(MIQ_SANITIZE)
  if(NOT MIQ_SANITIZE MATCHES "^(address|undefined|address,undefined|thread)$")
    message(FATAL_ERROR "MIQ_SANITIZE must be address, undefined, address,undefined or thread, got ${MIQ_SANITIZE}")
  endif()
  target_compile_options(
    miq_development INTERFACE -fsanitize=${MIQ_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(miq_development INTERFACE -fsanitize=${MIQ_SANITIZE})
endif()
