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
if(NOT EVENKEEL_PORTABLE)
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

# evenkeel_library(<folder> [LEVEL <level>] [EXCLUDE <sources>] [PUBLIC <targets>] [PRIVATE <targets>]
# [HEADERS_ONLY <targets>]): one library of all sources below a folder of the tree but the excluded ones, static
# unless a level of x86-64 is given. HEADERS_ONLY targets are needed to build it, not to link with it.
# With a level it is a shared library for that level. The first one is the library that is linked with; those of
# further levels go to glibc-hwcaps/<level>/ beside it, where the C library's loader finds the best that the processor
# can run.
function(evenkeel_library folder)
  cmake_parse_arguments(link "" "LEVEL" "EXCLUDE;PUBLIC;PRIVATE;HEADERS_ONLY" ${ARGN})
  set(target evenkeel_${folder})
  if(TARGET ${target})
    set(target ${target}_${link_LEVEL})
    set(hwcaps /glibc-hwcaps/${link_LEVEL})
    add_dependencies(evenkeel_${folder} ${target})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  list(REMOVE_ITEM sources ${link_EXCLUDE})
  if(link_LEVEL)
    add_library(${target} SHARED ${sources})
    target_compile_options(${target} PRIVATE -march=${link_LEVEL} -fno-semantic-interposition)
    # What a program compiles of our headers for its own processor must not take the place of ours.
    target_link_options(${target} PRIVATE -Wl,-Bsymbolic-functions)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME evenkeel_${folder} SOVERSION ${PROJECT_VERSION}
                          LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}${hwcaps})
    install(TARGETS ${target} EXPORT evenkeel_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}${hwcaps})
  else()
    add_library(${target} STATIC ${sources})
    install(TARGETS ${target} EXPORT evenkeel_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
  string(REPLACE evenkeel_ "" export_name ${target})
  add_library(evenkeel::${export_name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${export_name} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(${target} PUBLIC cxx_std_20)
  # So that a static program can leave out what it does not call, with -Wl,--gc-sections.
  target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
  target_link_libraries(${target} PUBLIC ${link_PUBLIC} PRIVATE ${link_PRIVATE})
  foreach(header_target evenkeel_flags ${link_HEADERS_ONLY})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:${header_target}>)
  endforeach()
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()
