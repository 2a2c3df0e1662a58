# Tests of the program and of what joins its parts. Included by CMakeLists.txt.
if(NOT TARGET compress_opt_pipeline)
  return()
endif()

miq_add_test(compress_opt_pipeline SOURCES pipeline_test.cpp pipeline_options_test.cpp LIBRARIES compress_opt_pipeline)
miq_add_test(compress_opt_report SOURCES report_test.cpp LIBRARIES compress_opt_pipeline)
miq_add_test(compress_opt_save_format SOURCES save_format_test.cpp LIBRARIES compress_opt_pipeline)
miq_add_test(compress_opt_program SOURCES pipeline_program_test.cpp LIBRARIES compress_opt_pipeline)
target_compile_definitions(test_compress_opt_program PRIVATE MIQ_COMPRESS_OPT="$<TARGET_FILE:compress_opt>")
add_dependencies(test_compress_opt_program compress_opt)
miq_add_test(compress_opt_reference SOURCES reference_test.cpp LIBRARIES compress_opt_pipeline LABELS slow TIMEOUT 2400)
