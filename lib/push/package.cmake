# The push client as other people's programs use it: libmidst-push, shared and static, with its headers, for CMake and
# pkg-config. Component push-dev. Compiled apart from midst::push: position-independent, never with a sanitizer, with nothing
# of Boost, fmt or spdlog left in it.
include(CMakePackageConfigHelpers)
set(push_public_headers cells.hpp trace.hpp instruments.hpp client.hpp http_metrics.hpp)
set(push_include_dir ${PROJECT_BINARY_DIR}/push-dev/include)

add_library(midst_push_objects OBJECT ${push_sources} ${PROJECT_SOURCE_DIR}/lib/base/error.cpp)
set_target_properties(midst_push_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(midst_push_objects PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(midst_push_objects PRIVATE Boost::headers midst_warnings)
target_compile_options(midst_push_objects PRIVATE -fno-semantic-interposition)

# In the tree the headers include each other by their path from the root, installed by where they end up.
foreach(header IN LISTS push_public_headers)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${header})
  file(READ ${header} text)
  string(REPLACE "#include \"lib/push/" "#include \"midst/push/" text "${text}")
  file(CONFIGURE OUTPUT ${push_include_dir}/midst/push/${header} CONTENT "${text}" @ONLY)
endforeach()
configure_file(midst_push.h ${push_include_dir}/midst_push.h COPYONLY)

add_library(midst_push_shared SHARED $<TARGET_OBJECTS:midst_push_objects>)
add_library(midst_push_static STATIC $<TARGET_OBJECTS:midst_push_objects>)
foreach(target midst_push_shared midst_push_static)
  target_link_libraries(${target} PUBLIC Threads::Threads)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${push_include_dir}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
set_target_properties(midst_push_shared PROPERTIES
  OUTPUT_NAME midst-push EXPORT_NAME push VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/push-dev/lib LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/midst_push.map)
set_target_properties(midst_push_static PROPERTIES
  OUTPUT_NAME midst-push EXPORT_NAME push_static ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/push-dev/lib)
# Threads and fork handlers run its code until the process ends, hence nodelete.
target_link_options(midst_push_shared PRIVATE
  -Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/midst_push.map -Wl,-z,defs -Wl,-z,nodelete)

set(push_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/midst-push)
configure_package_config_file(midst-pushConfig.cmake.in ${PROJECT_BINARY_DIR}/push-dev/midst-pushConfig.cmake
  INSTALL_DESTINATION ${push_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/push-dev/midst-pushConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
# Relative to the file, so that a tree that was moved or staged still works.
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(push_prefix_of_pc "\${pcfiledir}/${up}")
configure_file(midst-push.pc.in ${PROJECT_BINARY_DIR}/push-dev/midst-push.pc @ONLY)

install(TARGETS midst_push_shared EXPORT midst-push
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT push NAMELINK_COMPONENT push-dev)
install(TARGETS midst_push_static EXPORT midst-push ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT push-dev)
install(EXPORT midst-push NAMESPACE midst:: FILE midst-pushTargets.cmake DESTINATION ${push_cmake_dir} COMPONENT push-dev)
install(DIRECTORY ${push_include_dir}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT push-dev)
install(FILES ${PROJECT_BINARY_DIR}/push-dev/midst-pushConfig.cmake
  ${PROJECT_BINARY_DIR}/push-dev/midst-pushConfigVersion.cmake DESTINATION ${push_cmake_dir} COMPONENT push-dev)
install(FILES ${PROJECT_BINARY_DIR}/push-dev/midst-push.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT push-dev)
install(FILES midst_push.proto DESTINATION ${CMAKE_INSTALL_DATADIR}/midst-push COMPONENT push-dev)
