# What nearly every file of the project includes, compiled once for the libraries and once for the test programs: that
# halves the time of a build. Off for clang, which wants the same -D for all, and in the release preset, where an include that is
# missing shows.
option(MIDST_PRECOMPILE "Precompile the headers of Asio, GoogleTest and the standard library" ON)

set(midst_common_headers
  <boost/asio/any_io_executor.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/detached.hpp>
  <boost/asio/io_context.hpp> <boost/asio/steady_timer.hpp> <boost/system/result.hpp>
  <fmt/core.h> <algorithm> <chrono> <cstdint> <functional> <map> <memory> <optional> <string> <string_view> <vector>)

# midst_precompiled(name HEADERS … DEPENDS …): what midst_reuse_precompiled(target name) then takes.
function(midst_precompiled name)
  cmake_parse_arguments(arg "" "" "HEADERS;DEPENDS" ${ARGN})
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}.cpp CONTENT "// Precompiled headers need a file to be compiled with.\n")
  add_library(${name} STATIC ${PROJECT_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} midst_sanitizers midst_warnings)
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
  target_compile_options(${name} PRIVATE -fpch-preprocess)   # for ccache
endfunction()

function(midst_reuse_precompiled target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
endfunction()

if(MIDST_PRECOMPILE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  midst_precompiled(midst_precompiled_library HEADERS ${midst_common_headers} DEPENDS midst::asio fmt::fmt)
endif()
