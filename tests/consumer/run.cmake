# Installs BUILD_DIR into a fresh prefix and builds the consumer against it, by find_package and by pkg-config.
set(work ${BUILD_DIR}/consumer)
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${work}/prefix)
run(${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR} -B ${work}/build -DCMAKE_PREFIX_PATH=${work}/prefix
    -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${FLAGS})
run(${CMAKE_COMMAND} --build ${work}/build)
run(${work}/build/consumer)
if(HDF5_INSIDE)
  execute_process(COMMAND readelf --dynamic ${work}/build/consumer OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
  if(dynamic MATCHES "libhdf5")
    message(FATAL_ERROR "the consumer needs the shared HDF5, though the static one links")
  endif()
else()
  message("SKIP: HDF5 inside the program: no static HDF5 that links")
endif()

file(GLOB_RECURSE pc ${work}/prefix/*/evenkeel.pc)
get_filename_component(pc_dir ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_dir})
execute_process(COMMAND pkg-config --cflags --libs evenkeel OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${FLAGS} ${flags}")
run(${CXX} ${CMAKE_CURRENT_LIST_DIR}/main.cpp -o ${work}/by_pkg_config ${flags})
# A portable build has a shared library, which the loader must find where it is no system folder.
cmake_path(GET pc_dir PARENT_PATH libraries)
run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${libraries} ${work}/by_pkg_config)
