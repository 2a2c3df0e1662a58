# miq::precompiled: the bodies of miq's host functions, compiled once, so that those who call them compile declarations.
#
# Links like miq::core, and defines MIQ_PRECOMPILED, by which headers leave their bodies out.

file(GLOB precompiled_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/precompiled/*.cpp)
if(MIQ_PRECOMPILED)
  add_library(miq_precompiled STATIC ${precompiled_sources})
else()
  add_library(miq_precompiled STATIC EXCLUDE_FROM_ALL ${precompiled_sources})  # built where it is linked
endif()
add_library(miq::precompiled ALIAS miq_precompiled)
set_target_properties(
  miq_precompiled
  PROPERTIES EXPORT_NAME precompiled
             OUTPUT_NAME miq
             CXX_VISIBILITY_PRESET hidden
             VISIBILITY_INLINES_HIDDEN ON
             POSITION_INDEPENDENT_CODE ON)
# Eigen under another name: a program that compiles Eigen for another instruction set, with another alignment, must not
# lend its functions to the library.
target_compile_definitions(
  miq_precompiled
  PUBLIC MIQ_PRECOMPILED
  PRIVATE Eigen=miq_precompiled_Eigen)
target_link_libraries(miq_precompiled PUBLIC miq_core)
# Instruction set, sanitizers and warnings as for tests and examples. Not as a library that is linked: what is installed
# must not ask for it.
if(TARGET miq_development)
  target_compile_options(miq_precompiled PRIVATE $<TARGET_PROPERTY:miq_development,INTERFACE_COMPILE_OPTIONS>)
endif()
