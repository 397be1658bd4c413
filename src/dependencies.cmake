# Every library the program links, as targets. Nothing is fetched here: setup.sh brings what is missing.

macro(leco_require package what bring)
  find_package(${package} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "${what} is missing; bring it with: ${bring}")
  endif()
endmacro()

set(MPI_CXX_SKIP_MPICXX ON)
leco_require(MPI "MPI" "sudo apt-get install libopenmpi-dev openmpi-bin   (or: ./setup.sh build)")
leco_require(spdlog "spdlog" "sudo apt-get install libspdlog-dev")
leco_require(tomlplusplus "toml++" "sudo apt-get install libtomlplusplus-dev")
leco_require(yaml-cpp "yaml-cpp" "sudo apt-get install libyaml-cpp-dev")
leco_require(nlohmann_json "nlohmann-json" "sudo apt-get install nlohmann-json3-dev")
leco_require(OpenSSL "OpenSSL" "sudo apt-get install libssl-dev")
find_package(ICU QUIET COMPONENTS uc)
if(NOT ICU_FOUND)
  message(FATAL_ERROR "ICU is missing; bring it with: sudo apt-get install libicu-dev")
endif()
leco_require(PNG "libpng" "sudo apt-get install libpng-dev")
leco_require(GIF "giflib" "sudo apt-get install libgif-dev")
leco_require(JPEG "libjpeg" "sudo apt-get install libjpeg-dev")
leco_require(PkgConfig "pkg-config" "sudo apt-get install pkgconf")
pkg_check_modules(pango QUIET pangocairo)
if(NOT pango_FOUND)
  message(FATAL_ERROR "Pango with cairo is missing; bring it with: sudo apt-get install libpango1.0-dev")
endif()

# libtorch comes from PyPI's wheel. Its own CMake package refuses to configure without a whole CUDA toolkit,
# although compiling against it takes only headers, and those lie in the wheels that torch depends on.
execute_process(COMMAND ${LECO_PYTHON} -c "import sysconfig; print(sysconfig.get_paths()['purelib'])"
                OUTPUT_VARIABLE LECO_SITE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
set(torch_dir "${LECO_SITE}/torch")
if(NOT EXISTS "${torch_dir}/include/ATen/ATen.h")
  message(FATAL_ERROR "libtorch is missing (looked in '${torch_dir}'); bring it with: ./setup.sh build   "
                      "(or name a Python that has torch 2.11: -DLECO_PYTHON=/path/to/python)")
endif()

add_library(leco_fmt INTERFACE)  # libtorch's fmt, header only; core/log.cpp must not see it, since spdlog has its own
target_include_directories(leco_fmt SYSTEM INTERFACE "${torch_dir}/include")
target_compile_definitions(leco_fmt INTERFACE FMT_HEADER_ONLY)

add_library(leco_torch INTERFACE)
target_include_directories(leco_torch SYSTEM INTERFACE "${torch_dir}/include" "${torch_dir}/include/torch/csrc/api/include")
target_link_directories(leco_torch INTERFACE "${torch_dir}/lib")
target_link_libraries(leco_torch INTERFACE leco_fmt torch_cpu c10)
# CMake itself notes only folders outside the project for an installed program, and .venv lies inside.
list(APPEND CMAKE_INSTALL_RPATH "${torch_dir}/lib")

if(LECO_CUDA)
  set(cuda_include "${LECO_SITE}/nvidia/cu13/include")
  set(nccl_dir "${LECO_SITE}/nvidia/nccl")
  if(NOT EXISTS "${torch_dir}/lib/libtorch_cuda.so")
    message(FATAL_ERROR "this torch has no CUDA; configure with -DLECO_CUDA=OFF")
  endif()
  if(NOT EXISTS "${cuda_include}/crt/host_config.h" OR NOT EXISTS "${cuda_include}/nv/target")
    message(FATAL_ERROR "CUDA's compiler headers are missing; bring them with: "
                        "${LECO_PYTHON} -m pip install nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85"
                        "   (or configure with -DLECO_CUDA=OFF)")
  endif()
  if(NOT EXISTS "${nccl_dir}/include/nccl.h")
    message(FATAL_ERROR "NCCL is missing in '${nccl_dir}'; bring it with: ${LECO_PYTHON} -m pip install nvidia-nccl-cu13"
                        "   (or configure with -DLECO_CUDA=OFF)")
  endif()
  target_include_directories(leco_torch SYSTEM INTERFACE "${cuda_include}")
  target_compile_definitions(leco_torch INTERFACE LECO_CUDA=1)
  # libtorch_cuda registers its kernels when it is loaded, so it stays linked although no symbol of it may be used.
  target_link_libraries(leco_torch INTERFACE c10_cuda "-Wl,--no-as-needed" torch_cuda "-Wl,--as-needed")
  target_link_options(leco_torch INTERFACE "LINKER:-rpath-link,${LECO_SITE}/nvidia/cu13/lib:${nccl_dir}/lib"
                      "LINKER:-rpath-link,${LECO_SITE}/nvidia/cudnn/lib:${LECO_SITE}/nvidia/cusparselt/lib:${LECO_SITE}/nvidia/nvshmem/lib"
                      "LINKER:--allow-shlib-undefined")
  add_library(leco_nccl INTERFACE)
  target_include_directories(leco_nccl SYSTEM INTERFACE "${nccl_dir}/include")
  target_link_libraries(leco_nccl INTERFACE "${nccl_dir}/lib/libnccl.so.2")
  list(APPEND CMAKE_INSTALL_RPATH "${nccl_dir}/lib")
endif()
