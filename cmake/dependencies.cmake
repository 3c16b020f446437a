# Every third-party package, once. docs/dependencies.md says why each is here.
set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED CONFIG)
find_package(spdlog 1.10 REQUIRED CONFIG)
find_package(tomlplusplus 3.3 REQUIRED CONFIG)
find_package(prometheus-cpp REQUIRED CONFIG)   # the package ships no version file
find_package(nlohmann_json 3.11 REQUIRED CONFIG)
find_package(yaml-cpp 0.7 REQUIRED CONFIG)
find_package(CLI11 2.1 REQUIRED CONFIG)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)   # its own CMake file defines no target
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(LIBCRYPT REQUIRED IMPORTED_TARGET libcrypt)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
# Their -D_FILE_OFFSET_BITS and -pthread are of no effect here, but precompiled headers would be refused with them.
set_property(TARGET PkgConfig::HIREDIS PkgConfig::RE2 PROPERTY INTERFACE_COMPILE_OPTIONS "")

# Asio and Beast are compiled once (lib/base/asio.cpp, lib/net/beast.cpp) instead of in every file.
add_library(midst_asio INTERFACE)
target_compile_definitions(midst_asio INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(midst_asio INTERFACE Boost::headers Threads::Threads OpenSSL::SSL OpenSSL::Crypto)
add_library(midst::asio ALIAS midst_asio)
