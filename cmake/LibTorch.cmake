# Finds LibTorch and declares the imported target uvic::torch.
#
# LibTorch's own package file stops without a CUDA toolkit, and its CPU libraries need none, so the libraries are named
# here directly. Order: -DUVIC_LIBTORCH, the environment's UVIC_LIBTORCH, the folder that scripts/setup fills.

set(_cache "$ENV{UVIC_CACHE}")
if(NOT _cache)
  set(_xdg "$ENV{XDG_CACHE_HOME}")
  if(NOT _xdg)
    set(_xdg "$ENV{HOME}/.cache")
  endif()
  set(_cache "${_xdg}/uvic")
endif()
set(_default "$ENV{UVIC_LIBTORCH}")
if(NOT _default)
  set(_default "${_cache}/libtorch-2.15.0")
endif()
set(UVIC_LIBTORCH "${_default}" CACHE PATH "LibTorch: the folder that holds include/ and lib/")

if(NOT EXISTS "${UVIC_LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No LibTorch in ${UVIC_LIBTORCH}. Run scripts/setup, or pass -DUVIC_LIBTORCH=DIR "
                      "(LibTorch 2.11 or newer: an unzipped archive or a Python's site-packages/torch).")
endif()

file(STRINGS "${UVIC_LIBTORCH}/include/torch/headeronly/version.h" _version_lines
     REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" _version "${_version_lines}")
if(_version VERSION_LESS 2.11)
  message(FATAL_ERROR "LibTorch ${_version} in ${UVIC_LIBTORCH} is too old: uvic needs 2.11 or newer.")
endif()
message(STATUS "LibTorch ${_version}: ${UVIC_LIBTORCH}")

function(_uvic_import name file)
  add_library(uvic::${name} SHARED IMPORTED)
  set_target_properties(uvic::${name} PROPERTIES IMPORTED_LOCATION "${UVIC_LIBTORCH}/lib/${file}")
endfunction()

_uvic_import(c10 libc10.so)
_uvic_import(torch_cpu libtorch_cpu.so)
add_library(uvic_torch INTERFACE)
target_include_directories(uvic_torch SYSTEM INTERFACE
  "${UVIC_LIBTORCH}/include" "${UVIC_LIBTORCH}/include/torch/csrc/api/include")
target_link_libraries(uvic_torch INTERFACE uvic::torch_cpu uvic::c10)
# libtorch_cpu.so names its neighbours (libgomp, libcudart, libcupti), which its run path finds when the program starts.
target_link_options(uvic_torch INTERFACE "-Wl,-rpath-link,${UVIC_LIBTORCH}/lib")
if(NOT UVIC_FUZZ)  # clang's own OpenMP would be a second one beside LibTorch's; without it loops run on one thread
  target_compile_options(uvic_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  target_link_options(uvic_torch INTERFACE -fopenmp)
endif()

if(UVIC_CUDA)
  if(NOT CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
    # The kernels' tensor cores and asynchronous copies begin with 8.0; 9.0 comes with PTX, which newer GPUs compile.
    set(CMAKE_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "CUDA architectures, 80 or newer")
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 17)             # the newest that CMake 3.25 knows for nvcc
  # LibTorch's own, which may be newer than the toolkit's: linked with that one, a program would look in the toolkit's
  # folder before LibTorch's for every library.
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)
  find_package(CUDAToolkit REQUIRED)
  _uvic_import(torch_cuda libtorch_cuda.so)
  _uvic_import(c10_cuda libc10_cuda.so)
  set(_cudart libcudart.so.${CUDAToolkit_VERSION_MAJOR})
  if(EXISTS "${UVIC_LIBTORCH}/lib/${_cudart}")
    _uvic_import(cudart ${_cudart})
  else()  # a Python's torch, whose CUDA libraries have folders of their own
    add_library(uvic::cudart ALIAS CUDA::cudart)
  endif()
  # LibTorch registers its CUDA kernels when the library loads, so it stays linked though no symbol of it is named.
  # Its own needs (cuBLAS, cuDNN, NCCL) are found at run time: `scripts/setup --cuda` puts them beside it.
  target_link_options(uvic_torch INTERFACE -Wl,--no-as-needed -Wl,--allow-shlib-undefined)
  target_link_libraries(uvic_torch INTERFACE uvic::torch_cuda uvic::c10_cuda uvic::cudart)
endif()
add_library(uvic::torch ALIAS uvic_torch)
