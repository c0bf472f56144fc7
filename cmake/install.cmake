# cmake --install: libraries (each by its evenkeel_library()), headers, a CMake package and a pkg-config file.
include(CMakePackageConfigHelpers)

set(libraries evenkeel_analysis evenkeel_report evenkeel_io evenkeel_optim evenkeel_nn evenkeel_core)  # users before what they use
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/evenkeel)

install(TARGETS evenkeel EXPORT evenkeel_targets)
install(EXPORT evenkeel_targets NAMESPACE evenkeel:: DESTINATION ${package_dir} FILE evenkeel-targets.cmake)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/evenkeel-config.cmake.in
                              ${PROJECT_BINARY_DIR}/evenkeel-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/evenkeel-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/evenkeel-config.cmake ${PROJECT_BINARY_DIR}/evenkeel-config-version.cmake
              ${PROJECT_SOURCE_DIR}/cmake/hdf5.cmake DESTINATION ${package_dir})

# Kernels and the headers behind HDF5 and the charts are internal.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/core ${PROJECT_SOURCE_DIR}/nn ${PROJECT_SOURCE_DIR}/optim
                  ${PROJECT_SOURCE_DIR}/io ${PROJECT_SOURCE_DIR}/report ${PROJECT_SOURCE_DIR}/analysis
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/evenkeel FILES_MATCHING PATTERN "*.h"
        PATTERN "core/kernels" EXCLUDE
        REGEX "/io/(hdf5|module_tensors|sealed_file)\\.h$" EXCLUDE
        REGEX "/analysis/(page|sweep_log)\\.h$" EXCLUDE
        REGEX "/analysis/page\\.h$" EXCLUDE
        REGEX "/report/(axis|canvas|frame)\\.h$" EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/evenkeel.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/evenkeel)

list(TRANSFORM libraries PREPEND "-l" OUTPUT_VARIABLE pkg_config_libraries)
list(JOIN pkg_config_libraries " " pkg_config_libraries)
# The .pc file finds its prefix from where it lies, some folders below it.
file(RELATIVE_PATH pkg_config_to_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(${PROJECT_SOURCE_DIR}/cmake/evenkeel.pc.in ${PROJECT_BINARY_DIR}/evenkeel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/evenkeel.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
