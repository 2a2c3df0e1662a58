# Tests of the program and of what joins its parts. Included by CMakeLists.txt.
if(NOT TARGET compress_opt_pipeline)
  return()
endif()

miq_add_test(compress_opt_pipeline SOURCES pipeline_test.cpp pipeline_options_test.cpp LIBRARIES compress_opt_pipeline compress_opt_device)
miq_add_test(compress_opt_report SOURCES report_test.cpp LIBRARIES compress_opt_pipeline compress_opt_device)
miq_add_test(compress_opt_save_format SOURCES save_format_test.cpp LIBRARIES compress_opt_pipeline compress_opt_device)
miq_add_test(compress_opt_program SOURCES pipeline_program_test.cpp LIBRARIES compress_opt_pipeline compress_opt_device)
target_compile_definitions(test_compress_opt_program PRIVATE MIQ_COMPRESS_OPT="$<TARGET_FILE:compress_opt>")
add_dependencies(test_compress_opt_program compress_opt)
miq_add_test(compress_opt_reference SOURCES reference_test.cpp LIBRARIES compress_opt_pipeline compress_opt_device LABELS slow TIMEOUT 2400)

# The device's way through the program, on the simulated device.
add_library(compress_opt_device_simulated STATIC ${PROJECT_SOURCE_DIR}/examples/compress_opt/device/cuda_solver.cpp)
target_link_libraries(compress_opt_device_simulated PUBLIC miq_simulated_device PRIVATE compress_opt_parts
                                                                                        miq::development)
miq_add_test(compress_opt_device_simulated SOURCES pipeline_device_test.cpp LIBRARIES compress_opt_pipeline
             compress_opt_device_simulated LABELS simulated)
