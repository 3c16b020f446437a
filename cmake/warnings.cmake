# Warnings as a target: only our own code is compiled with them.
add_library(midst_warnings INTERFACE)
target_compile_options(midst_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  $<$<BOOL:${MIDST_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 takes the inlined operator new and delete of Asio's coroutine frames for a mismatched pair.
  target_compile_options(midst_warnings INTERFACE -Wno-mismatched-new-delete)
endif()
