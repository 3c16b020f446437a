# midst_library(name SOURCES … DEPENDS … [PRIVATE …]): one folder, one static library, one floor.
#   DEPENDS  what its headers need (the floor plan of docs/architecture.md)
#   PRIVATE  what only its .cpp files need
function(midst_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(midst_${name} STATIC ${arg_SOURCES})
  add_library(midst::${name} ALIAS midst_${name})
  target_include_directories(midst_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(midst_${name} PUBLIC ${arg_DEPENDS} midst_sanitizers PRIVATE ${arg_PRIVATE} midst_warnings)
  if(NOT name STREQUAL "base")   # it holds Asio's own code
    midst_reuse_precompiled(midst_${name} midst_precompiled_library)
  endif()
endfunction()

# midst_test(name SOURCES … DEPENDS … [LABEL unit|integration] [TIMEOUT seconds]): one GoogleTest program.
function(midst_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} GTest::gmock GTest::gtest_main midst_warnings)
  midst_reuse_precompiled(${name} midst_precompiled_test)
  target_compile_definitions(${name} PRIVATE MIDST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()
