# Flags that every target of the project shares.
add_library(evenkeel_flags INTERFACE)
target_compile_features(evenkeel_flags INTERFACE cxx_std_20)
target_compile_options(evenkeel_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(evenkeel_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(evenkeel_flags INTERFACE -Wno-restrict)  # false alarms on std::string, GCC bug 105651
endif()
if(EVENKEEL_PORTABLE)
  target_compile_options(evenkeel_flags INTERFACE -march=x86-64-v2)
  target_compile_definitions(evenkeel_flags INTERFACE EVENKEEL_PORTABLE)
else()
  target_compile_options(evenkeel_flags INTERFACE -march=native)
endif()
if(EVENKEEL_SANITIZE)
  target_compile_options(evenkeel_flags INTERFACE -fsanitize=${EVENKEEL_SANITIZE} -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=all)
  target_link_options(evenkeel_flags INTERFACE -fsanitize=${EVENKEEL_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(evenkeel_flags INTERFACE -Wno-maybe-uninitialized)  # false alarms in <regex>
  endif()
endif()

# evenkeel_library(<folder> [PUBLIC <targets>] [PRIVATE <targets>] [HEADERS_ONLY <targets>]): one static library of
# all sources below a folder of the tree. HEADERS_ONLY targets are needed to build it, not to link with it.
function(evenkeel_library folder)
  cmake_parse_arguments(link "" "" "PUBLIC;PRIVATE;HEADERS_ONLY" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  add_library(evenkeel_${folder} STATIC ${sources})
  add_library(evenkeel::${folder} ALIAS evenkeel_${folder})
  set_target_properties(evenkeel_${folder} PROPERTIES EXPORT_NAME ${folder} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(evenkeel_${folder} PUBLIC cxx_std_20)
  target_link_libraries(evenkeel_${folder} PUBLIC ${link_PUBLIC} PRIVATE ${link_PRIVATE})
  foreach(target evenkeel_flags ${link_HEADERS_ONLY})
    target_link_libraries(evenkeel_${folder} PRIVATE $<BUILD_INTERFACE:${target}>)
  endforeach()
  target_include_directories(evenkeel_${folder}
                             PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                                    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()
