# midst_embed(target NAMESPACE ns FILES …): each file becomes a constexpr std::string_view in
# <build>/embedded/<target>.hpp, named after the file with every other character turned into '_'
# (and one put before a leading digit).
function(midst_embed target)
  cmake_parse_arguments(arg "" "NAMESPACE" "FILES" ${ARGN})
  set(header ${PROJECT_BINARY_DIR}/embedded/${target}.hpp)
  set(inputs)
  foreach(file IN LISTS arg_FILES)
    list(APPEND inputs ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${header} -DNAMESPACE=${arg_NAMESPACE} "-DFILES=${inputs}"
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${inputs} ${PROJECT_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
  target_sources(midst_${target} PRIVATE ${header})
  target_include_directories(midst_${target} PRIVATE ${PROJECT_BINARY_DIR})
endfunction()
