# Builds a source archive (MIQ_ARCHIVE in the environment) or the checkout that this port lies in.
if(DEFINED ENV{MIQ_ARCHIVE})
  vcpkg_extract_source_archive(SOURCE_PATH ARCHIVE "$ENV{MIQ_ARCHIVE}")
else()
  get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../../.." ABSOLUTE)
endif()
vcpkg_check_features(OUT_FEATURE_OPTIONS options FEATURES precompiled MIQ_PRECOMPILED)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${options} -D MIQ_BUILD_TESTS=OFF -D MIQ_BUILD_BENCHMARKS=OFF -D MIQ_BUILD_EXAMPLES=OFF -D MIQ_CUDA=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/miq)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
if(NOT "precompiled" IN_LIST FEATURES)
  file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")
endif()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
