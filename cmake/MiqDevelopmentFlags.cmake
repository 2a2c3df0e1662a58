# miq_development: flags of tests, benchmarks and examples. Never part of miq::core: consumers choose their own.

add_library(miq_development INTERFACE)
add_library(miq::development ALIAS miq_development)

target_compile_options(
  miq_development
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
            $<$<BOOL:${MIQ_WARNINGS_AS_ERRORS}>:-Werror>
            $<$<BOOL:${MIQ_NATIVE}>:-march=native>)

if(MIQ_SANITIZE)
  if(NOT MIQ_SANITIZE MATCHES "^(address|undefined|address,undefined|thread)$")
    message(FATAL_ERROR "MIQ_SANITIZE must be address, undefined, address,undefined or thread, got ${MIQ_SANITIZE}")
  endif()
  # GCC's -Wmaybe-uninitialized sees the instrumented code, and finds faults in its own standard library there.
  target_compile_options(
    miq_development INTERFACE -fsanitize=${MIQ_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                              $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(miq_development INTERFACE -fsanitize=${MIQ_SANITIZE})
endif()
