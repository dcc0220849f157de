# nlohmann's JSON library, headers only: the system's, or PyPI's, which pyproject.toml asks for and
# which has no configuration for CMake.
find_package(nlohmann_json QUIET CONFIG)
if(NOT nlohmann_json_FOUND)
  find_package(Python REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c "import nlohmann_json as a; print(*a.__path__)"
    OUTPUT_VARIABLE greetlab_json
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT greetlab_json)
    message(FATAL_ERROR "greetlab needs nlohmann's JSON library, which was not found.\n"
                        "On Debian or Ubuntu: apt-get install nlohmann-json3-dev\n"
                        "Elsewhere: pip install nlohmann-json")
  endif()
  file(TO_CMAKE_PATH "${greetlab_json}" greetlab_json)
  add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
  target_include_directories(nlohmann_json::nlohmann_json SYSTEM INTERFACE ${greetlab_json}/include)
endif()
