# Compiles SOURCE with CASE defined: case 0 must compile, every other must fail on a conversion or a constraint.
set(includes -I${INCLUDE})
foreach(directory IN LISTS SYSTEM_INCLUDE)
  list(APPEND includes -isystem ${directory})
endforeach()
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${COMPILER} -std=c++20 -fsyntax-only -DCASE=${CASE} ${includes} ${SOURCE}
  RESULT_VARIABLE status
  ERROR_VARIABLE errors)
if(CASE EQUAL 0)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "The control does not compile:\n${errors}")
  endif()
elseif(status EQUAL 0)
  message(FATAL_ERROR "Case ${CASE} of ${SOURCE} compiles, but must not")
elseif(NOT errors MATCHES "conversion from|could not convert|no viable conversion|no matching function|no known conversion")
  message(FATAL_ERROR "Case ${CASE} fails for another reason than a conversion or a constraint:\n${errors}")
endif()
