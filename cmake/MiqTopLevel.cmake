# Defaults for a build of miq by itself; a project that includes miq keeps its own.

foreach(minimum IN ITEMS "GNU 12" "Clang 14")
  string(REPLACE " " ";" minimum "${minimum}")
  list(GET minimum 0 id)
  list(GET minimum 1 version)
  if(CMAKE_CXX_COMPILER_ID STREQUAL id AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS version)
    message(FATAL_ERROR "miq needs ${id} ${version} or newer; ${CMAKE_CXX_COMPILER} is ${CMAKE_CXX_COMPILER_VERSION}")
  endif()
endforeach()

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER AND NOT DEFINED ENV{CMAKE_CXX_COMPILER_LAUNCHER})
  find_program(MIQ_CCACHE ccache DOC "Compiler cache, used when found")
  mark_as_advanced(MIQ_CCACHE)
  if(MIQ_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${MIQ_CCACHE})
  endif()
endif()
