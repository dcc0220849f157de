# Every library that what meets the real world is built on, looked up once. `greetlab_missing` are
# those that are not there, each as Debian's package.

function(greetlab_need found what packages)
  if(NOT ${found})
    list(APPEND greetlab_missing ${packages})
    string(APPEND greetlab_missing_text "\n  ${what}: ${packages}")
    set(greetlab_missing ${greetlab_missing} PARENT_SCOPE)
    set(greetlab_missing_text "${greetlab_missing_text}" PARENT_SCOPE)
  endif()
endfunction()

set(greetlab_missing)
set(greetlab_missing_text)
find_package(PkgConfig QUIET)
greetlab_need(PkgConfig_FOUND "pkg-config" "pkg-config")

# MODULE mode: Debian ships protobuf without a CMake configuration of its own.
find_package(Protobuf QUIET MODULE)
greetlab_need(Protobuf_FOUND "the protobuf C++ library" "libprotobuf-dev")
greetlab_need(Protobuf_PROTOC_EXECUTABLE "protoc, protobuf's compiler" "protobuf-compiler")

find_package(gRPC QUIET CONFIG)
greetlab_need(gRPC_FOUND "gRPC's C++ library" "libgrpc++-dev")
if(TARGET gRPC::grpc_cpp_plugin)
  set(greetlab_grpc_plugin_found TRUE)
endif()
greetlab_need(greetlab_grpc_plugin_found "gRPC's plugin for protoc" "protobuf-compiler-grpc")

pkg_check_modules(CARES QUIET IMPORTED_TARGET libcares)
greetlab_need(CARES_FOUND "the DNS library c-ares" "libc-ares-dev")

pkg_check_modules(NGHTTP2 QUIET IMPORTED_TARGET libnghttp2)
greetlab_need(NGHTTP2_FOUND "the HTTP/2 library nghttp2" "libnghttp2-dev")

find_package(OpenSSL QUIET)
greetlab_need(OPENSSL_FOUND "the TLS library OpenSSL" "libssl-dev")

find_path(ASIO_INCLUDE_DIR asio.hpp)
greetlab_need(ASIO_INCLUDE_DIR "the networking library Asio" "libasio-dev")

find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp)
greetlab_need(CLI11_INCLUDE_DIR "the command line library CLI11" "libcli11-dev")

find_package(Threads REQUIRED)

pkg_check_modules(YAML_CPP QUIET IMPORTED_TARGET yaml-cpp)
greetlab_need(YAML_CPP_FOUND "the YAML library yaml-cpp" "libyaml-cpp-dev")

# Header only.
find_path(BEAST_INCLUDE_DIR boost/beast.hpp)
greetlab_need(BEAST_INCLUDE_DIR "the HTTP library Boost.Beast" "libboost-dev")

pkg_check_modules(PROMETHEUS QUIET IMPORTED_TARGET prometheus-cpp-core)
greetlab_need(PROMETHEUS_FOUND "the metrics library prometheus-cpp" "prometheus-cpp-dev")

if(greetlab_missing)
  if(NOT GREETLAB_SIM_ONLY STREQUAL "AUTO")
    list(JOIN greetlab_missing " " packages)
    message(
      FATAL_ERROR
        "greetlab needs what was not found:${greetlab_missing_text}\n"
        "On Debian or Ubuntu: apt-get install ${packages}\n"
        "('./run demo' installs everything that is missing. The simulator alone needs none of it: "
        "GREETLAB_SIM_ONLY=ON.)")
  endif()
  set(greetlab_sim_only ON)
  message(STATUS "greetlab: THE SIMULATOR ALONE, for want of:${greetlab_missing_text}")
endif()
