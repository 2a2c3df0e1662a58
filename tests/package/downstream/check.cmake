# One test of the package: CASE names it. Everything is written below WORK.
set(prefix ${WORK}/prefix)
set(project_build ${WORK}/${CASE})

function(run)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "FAILS_WITH" "COMMAND")
  execute_process(
    COMMAND ${arg_COMMAND}
    RESULT_VARIABLE status
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " flat "${output}")
  if(arg_FAILS_WITH)
    if(status EQUAL 0)
      message(FATAL_ERROR "This had to fail, but did not: ${arg_COMMAND}\n${output}")
    elseif(NOT flat MATCHES "${arg_FAILS_WITH}")
      message(FATAL_ERROR "The message lacks '${arg_FAILS_WITH}':\n${output}")
    endif()
  elseif(NOT status EQUAL 0)
    message(FATAL_ERROR "Failed (${status}): ${arg_COMMAND}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(run_program program)
  run(COMMAND ${program})
  if(NOT output MATCHES "^miq ${VERSION}, sparsity 0.5, sum [-0-9.e]+\n$")
    message(FATAL_ERROR "The downstream program printed: ${output}")
  endif()
endfunction()

function(configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "HOW;FAILS_WITH" "ARGUMENTS")
  file(REMOVE_RECURSE ${project_build})
  run(COMMAND
      ${CMAKE_COMMAND} -S ${PROJECT} -B ${project_build} -G ${GENERATOR} -D HOW=${arg_HOW}
      -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_BUILD_TYPE=None -D Eigen3_DIR=${EIGEN_DIR}
      -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF ${arg_ARGUMENTS}
      FAILS_WITH "${arg_FAILS_WITH}")
endfunction()

function(build_and_run)
  run(COMMAND ${CMAKE_COMMAND} --build ${project_build})
  run_program(${project_build}/downstream)
endfunction()

if(CASE STREQUAL "install")
  file(REMOVE_RECURSE ${prefix})
  run(COMMAND ${CMAKE_COMMAND} --install ${MIQ_BINARY} --prefix ${prefix})
  # Every header and every body is there, and nothing that only the sources or the build know.
  file(GLOB_RECURSE expected RELATIVE ${MIQ_SOURCE}/include ${MIQ_SOURCE}/include/*.hpp ${MIQ_SOURCE}/include/*.inl)
  file(GLOB_RECURSE installed RELATIVE ${prefix}/${INCLUDEDIR} ${prefix}/${INCLUDEDIR}/*)
  if(HAS_CUDA)
    file(GLOB_RECURSE kernels RELATIVE ${MIQ_SOURCE}/kernels ${MIQ_SOURCE}/kernels/*.hpp ${MIQ_SOURCE}/kernels/*.inl
         ${MIQ_SOURCE}/kernels/*.cuh)
    list(FILTER kernels EXCLUDE REGEX "^precompiled/") # what only the units of the precompiled library read
    list(TRANSFORM kernels PREPEND miq/)
    list(APPEND expected ${kernels})
  endif()
  list(SORT expected)
  list(SORT installed)
  if(NOT expected STREQUAL installed OR NOT installed)
    set(missing ${expected})
    list(REMOVE_ITEM missing ${installed})
    set(unexpected ${installed})
    list(REMOVE_ITEM unexpected ${expected})
    message(FATAL_ERROR "Headers not installed: ${missing}\nInstalled, but no header of the sources: ${unexpected}")
  endif()
  file(GLOB package_files ${prefix}/${CMAKEDIR}/* ${prefix}/${PKGCONFIGDIR}/*)
  foreach(package_file IN LISTS package_files)
    file(READ ${package_file} text)
    foreach(path IN ITEMS ${MIQ_SOURCE} ${MIQ_BINARY} ${prefix})
      string(FIND "${text}" "${path}" found)
      if(NOT found EQUAL -1)
        message(FATAL_ERROR "${package_file} names ${path}, so it cannot be moved")
      endif()
    endforeach()
  endforeach()

elseif(CASE STREQUAL "installed")
  configure(HOW find_package ARGUMENTS -D CMAKE_PREFIX_PATH=${prefix} -D PROGRAM=main)
  build_and_run()

elseif(CASE STREQUAL "precompiled")
  configure(HOW precompiled ARGUMENTS -D CMAKE_PREFIX_PATH=${prefix} -D PROGRAM=main)
  build_and_run()

elseif(CASE STREQUAL "installed_and_moved")
  file(REMOVE_RECURSE ${WORK}/before ${WORK}/moved)
  file(COPY ${prefix}/ DESTINATION ${WORK}/before)
  file(MAKE_DIRECTORY ${WORK}/moved)
  file(RENAME ${WORK}/before "${WORK}/moved/to another place")
  configure(HOW find_package ARGUMENTS "-DCMAKE_PREFIX_PATH=${WORK}/moved/to another place")
  build_and_run()

elseif(CASE STREQUAL "build_tree")
  configure(HOW find_package ARGUMENTS -D miq_DIR=${MIQ_BINARY})
  build_and_run()

elseif(CASE STREQUAL "add_subdirectory" OR CASE STREQUAL "fetch_content")
  configure(HOW ${CASE} ARGUMENTS -D MIQ_SOURCE=${MIQ_SOURCE})
  build_and_run()

elseif(CASE STREQUAL "pkg_config")
  if(NOT PKG_CONFIG)
    message("SKIPPED: there is no pkg-config")
    return()
  endif()
  file(REMOVE_RECURSE ${WORK}/pkg_config)
  file(COPY ${prefix}/ DESTINATION ${WORK}/pkg_config/moved)
  set(ENV{PKG_CONFIG_PATH} ${WORK}/pkg_config/moved/${PKGCONFIGDIR}:$ENV{PKG_CONFIG_PATH})
  run(COMMAND ${PKG_CONFIG} --modversion "miq >= 0.1")
  run(COMMAND ${PKG_CONFIG} --cflags --libs miq)
  separate_arguments(flags UNIX_COMMAND "${output}")
  string(FIND "${output}" "-I${WORK}/pkg_config/moved/" from_moved_prefix)
  if(from_moved_prefix EQUAL -1)
    message(FATAL_ERROR "The flags do not follow the moved prefix: ${output}")
  endif()
  run(COMMAND ${COMPILER} -std=c++20 ${PROJECT}/part.cpp ${PROJECT}/other.cpp ${flags} -o ${WORK}/pkg_config/program)
  run_program(${WORK}/pkg_config/program)
  if(PRECOMPILED)
    run(COMMAND ${PKG_CONFIG} --cflags --libs miq-precompiled)
    separate_arguments(flags UNIX_COMMAND "${output}")
    run(COMMAND ${COMPILER} -std=c++20 ${PROJECT}/main.cpp ${PROJECT}/other.cpp ${flags} -o
                ${WORK}/pkg_config/precompiled)
    run_program(${WORK}/pkg_config/precompiled)
  endif()

elseif(CASE MATCHES "^cuda")
  configure(HOW ${CASE} ARGUMENTS -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CUDA_COMPILER=${CUDA_COMPILER}
            -D CMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES})
  run(COMMAND ${CMAKE_COMMAND} --build ${project_build})
  run(COMMAND ${project_build}/downstream)
  # I(X; Y) of two Gaussian channels with a correlation of 1/2: 0.143841 nats.
  if(NOT output MATCHES "^information 0.14384[01]\n$" AND NOT output MATCHES
                                                            "^no device: cuda_executor: cudaGetDevice: cudaError")
    message(FATAL_ERROR "The downstream program printed: ${output}")
  endif()

elseif(CASE STREQUAL "wrong_version")
  configure(HOW wrong_version ARGUMENTS -D CMAKE_PREFIX_PATH=${prefix}
            FAILS_WITH "compatible with requested version \"0.2\".*miqConfig.cmake, version: ${VERSION}")

elseif(CASE STREQUAL "wrong_component")
  configure(HOW wrong_component ARGUMENTS -D CMAKE_PREFIX_PATH=${prefix}
            FAILS_WITH "miq ${VERSION} was asked for component 'vulkan', but this build has only: core")

elseif(CASE STREQUAL "optional_component")
  configure(HOW optional_component ARGUMENTS -D CMAKE_PREFIX_PATH=${prefix})

else()
  message(FATAL_ERROR "unknown CASE=${CASE}")
endif()
