# The back end of the asan, tsan, coverage and fuzz presets.
add_library(midst_sanitizers INTERFACE)
if(MIDST_SANITIZE)
  target_compile_options(midst_sanitizers INTERFACE -fsanitize=${MIDST_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(midst_sanitizers INTERFACE -fsanitize=${MIDST_SANITIZE})
  if(MIDST_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences are not modelled by GCC 12's TSan; it says so for each TU.
    target_compile_options(midst_sanitizers INTERFACE -Wno-tsan)
  endif()
  if(MIDST_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # clang 14 with coroutines: "Cannot represent a difference across sections".
    target_compile_options(midst_sanitizers INTERFACE -fno-sanitize=function)
  endif()
endif()
if(MIDST_BUILD_FUZZ)
  # Without it libFuzzer sees the branches of the harness alone, not those of the code under test.
  target_compile_options(midst_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()
