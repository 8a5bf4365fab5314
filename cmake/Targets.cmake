# uvic_library(NAME sources...) and uvic_executable(NAME sources...): warnings, sanitizers and a shared precompiled
# header, the same for every target of ours.

add_library(uvic_options INTERFACE)
target_include_directories(uvic_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(uvic_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra $<$<BOOL:${UVIC_WERROR}>:-Werror>
  -march=x86-64-v2>)
# LibTorch's headers include the operations that they use, not all there are (core/aten.h).
target_compile_definitions(uvic_options INTERFACE UVIC_VERSION="${PROJECT_VERSION}" AT_PER_OPERATOR_HEADERS)
target_link_libraries(uvic_options INTERFACE uvic::torch)
if(UVIC_SANITIZE)
  target_compile_options(uvic_options INTERFACE -fsanitize=${UVIC_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(uvic_options INTERFACE -fsanitize=${UVIC_SANITIZE})
endif()
if(UVIC_FUZZ)
  target_compile_options(uvic_options INTERFACE -fno-sanitize-recover=all -w)
endif()

# uvic_pch(NAME headers... OPTIONS options...): a precompiled header of tensors and those headers. UVIC_PCH names the one that
# targets use; it must have been made with their options.
function(uvic_pch name)
  cmake_parse_arguments(ARG "" "" "OPTIONS" ${ARGN})
  add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
  target_link_libraries(${name} PRIVATE uvic_options)
  target_precompile_headers(${name} PRIVATE ${PROJECT_SOURCE_DIR}/core/aten.h <fmt/format.h> <filesystem> <functional> <map>
    <span> <string> <vector> ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE -fpch-preprocess ${ARG_OPTIONS})
endfunction()
uvic_pch(uvic_tensor_pch)
set(UVIC_PCH uvic_tensor_pch)
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)  # ccache cannot use a precompiled header that has the time in it
  target_compile_options(uvic_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>)
endif()

function(_uvic_common target)
  target_precompile_headers(${target} REUSE_FROM ${UVIC_PCH})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endfunction()

function(uvic_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC uvic_options)
  _uvic_common(${name})
endfunction()

function(uvic_executable name)
  add_executable(${name} ${ARGN})
  if(UVIC_SANITIZE STREQUAL thread)
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/tsan_threads.cpp)
  endif()
  target_link_libraries(${name} PRIVATE uvic_options)
  _uvic_common(${name})
endfunction()
