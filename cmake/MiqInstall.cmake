# Installation, and the package files of the install tree and of the build tree.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Headers hold no machine code, so everything goes to architecture-independent places.
set(MIQ_INSTALL_CMAKEDIR ${CMAKE_INSTALL_DATADIR}/cmake/miq CACHE STRING "Where the CMake package goes")
set(MIQ_INSTALL_PKGCONFIGDIR ${CMAKE_INSTALL_DATADIR}/pkgconfig CACHE STRING "Where the pkg-config file goes")
mark_as_advanced(MIQ_INSTALL_CMAKEDIR MIQ_INSTALL_PKGCONFIGDIR)

# What find_package(miq COMPONENTS ...) may ask of this build.
set(MIQ_COMPONENTS core)
if(MIQ_PRECOMPILED)
  list(APPEND MIQ_COMPONENTS precompiled)
endif()
if(MIQ_HAS_CUDA)
  list(APPEND MIQ_COMPONENTS cuda)
  if(TARGET miq_cuda_precompiled)
    list(APPEND MIQ_COMPONENTS cuda_precompiled)
  endif()
endif()

target_include_directories(miq_core INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(
  DIRECTORY ${PROJECT_SOURCE_DIR}/include/miq
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING
  PATTERN "*.hpp"
  PATTERN "*.inl")
install(TARGETS miq_core EXPORT miqTargets)
if(MIQ_PRECOMPILED)
  install(TARGETS miq_precompiled EXPORT miqPrecompiledTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(MIQ_HAS_CUDA)
  install(
    DIRECTORY ${PROJECT_SOURCE_DIR}/kernels/
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/miq
    FILES_MATCHING
    PATTERN "*.hpp"
    PATTERN "*.inl"
    PATTERN "*.cuh"
    PATTERN precompiled EXCLUDE)
  target_include_directories(miq_cuda INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  install(TARGETS miq_cuda EXPORT miqCudaTargets)
  if(TARGET miq_cuda_precompiled)
    install(TARGETS miq_cuda_precompiled EXPORT miqCudaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endif()

# CMake package
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/miqConfig.cmake.in ${PROJECT_BINARY_DIR}/miqConfig.cmake
                              INSTALL_DESTINATION ${MIQ_INSTALL_CMAKEDIR} NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/miqConfigVersion.cmake
  VERSION ${PROJECT_VERSION}
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/miqConfig.cmake ${PROJECT_BINARY_DIR}/miqConfigVersion.cmake
        DESTINATION ${MIQ_INSTALL_CMAKEDIR})
install(EXPORT miqTargets NAMESPACE miq:: DESTINATION ${MIQ_INSTALL_CMAKEDIR})
export(EXPORT miqTargets NAMESPACE miq:: FILE ${PROJECT_BINARY_DIR}/miqTargets.cmake)
if(MIQ_PRECOMPILED)
  install(EXPORT miqPrecompiledTargets NAMESPACE miq:: DESTINATION ${MIQ_INSTALL_CMAKEDIR})
  export(EXPORT miqPrecompiledTargets NAMESPACE miq:: FILE ${PROJECT_BINARY_DIR}/miqPrecompiledTargets.cmake)
endif()
if(MIQ_HAS_CUDA)
  install(EXPORT miqCudaTargets NAMESPACE miq:: DESTINATION ${MIQ_INSTALL_CMAKEDIR})
  export(EXPORT miqCudaTargets NAMESPACE miq:: FILE ${PROJECT_BINARY_DIR}/miqCudaTargets.cmake)
endif()

# pkg-config file: finds its headers from where it lies, so that the prefix can be moved
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE
                                                                                       "${MIQ_INSTALL_PKGCONFIGDIR}")
  set(MIQ_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  set(MIQ_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
  set(MIQ_PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
else()
  file(RELATIVE_PATH up /prefix/${MIQ_INSTALL_PKGCONFIGDIR} /prefix)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(MIQ_PC_PREFIX "\${pcfiledir}/${up}")
  set(MIQ_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
  set(MIQ_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(MIQ_USE_BLAS)
  string(REPLACE ";" " " blas_libraries "${BLAS_LIBRARIES}")
  set(MIQ_PC_BLAS_CFLAGS " -DEIGEN_USE_BLAS")
  set(MIQ_PC_BLAS_LIBS " ${BLAS_LINKER_FLAGS} ${blas_libraries}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/miq.pc.in ${PROJECT_BINARY_DIR}/miq.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/miq.pc DESTINATION ${MIQ_INSTALL_PKGCONFIGDIR})
if(MIQ_PRECOMPILED)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/miq-precompiled.pc.in ${PROJECT_BINARY_DIR}/miq-precompiled.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/miq-precompiled.pc DESTINATION ${MIQ_INSTALL_PKGCONFIGDIR})
endif()
