# Tests of the example mutual_information. Included by CMakeLists.txt.
if(NOT TARGET mutual_information)
  return()
endif()
find_package(nlohmann_json 3.10 REQUIRED)

miq_add_test(
  mutual_information_files
  SOURCES
  table_files_test.cpp
  tables_hostile_test.cpp
  LIBRARIES
  mutual_information_files
  nlohmann_json::nlohmann_json)
miq_add_test(mutual_information_results SOURCES mutual_information_test.cpp LIBRARIES mutual_information_parts)
miq_add_test(
  mutual_information_program
  SOURCES
  mutual_information_program_test.cpp
  LIBRARIES
  mutual_information_files
  nlohmann_json::nlohmann_json)
target_compile_definitions(
  test_mutual_information_program PRIVATE MIQ_MUTUAL_INFORMATION="$<TARGET_FILE:mutual_information>")
add_dependencies(test_mutual_information_program mutual_information)
