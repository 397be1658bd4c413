#!/usr/bin/env bash
# Installs what is missing, then builds, shows or tests leco. `./setup.sh` alone says how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly build=build venv=.venv log=build/setup.log
# Debian's packages: compiler and build tools, MPI, the libraries that src/dependencies.cmake names, Python, GoogleTest.
readonly packages=(
  g++ cmake ninja-build ccache libopenmpi-dev openmpi-bin
  libspdlog-dev libtomlplusplus-dev libyaml-cpp-dev nlohmann-json3-dev libicu-dev libssl-dev
  pkgconf libpango1.0-dev libpng-dev libgif-dev libjpeg-dev fonts-dejavu-core fonts-droid-fallback
  python3 python3-venv libgtest-dev
)
# What tests need besides: Chromium opens the report pages; clang has libFuzzer, and CMake leaves the fuzz
# tests out without it; Slurm runs the batch scripts.
readonly test_packages=(chromium clang libclang-rt-dev slurmctld slurmd slurm-client munge)

usage() {
  cat <<'TEXT'
usage: ./setup.sh build   install what is missing, configure, build the program: build/launcher/leco
       ./setup.sh demo    build, train a size slider of the toy model on two ranks, draw with it and measure it (about two minutes)
       ./setup.sh test    build everything, then run all tests with ctest

environment:
  LECO_CUDA=OFF|ON   build without or with CUDA and NCCL (first build: ON; later builds keep what was chosen)
  PYTHON=python3.12  the Python (3.10 or newer) that .venv is made with
  CXX=g++-13         the compiler of the first build (g++ 12 or newer)
After a build, `cmake --install build --prefix DIR` installs the program.
TEXT
}

# fail WHAT…: one line, and nothing else is tried.
fail() {
  echo "setup.sh: $*" >&2
  exit 1
}

# phase TEXT COMMAND…: one line a phase; the command's words go to the log, and its last ones are shown when it fails.
phase() {
  local text=$1 start=$SECONDS status=0 lines
  shift
  lines=$(wc -l <"$log")
  printf '%s … ' "$text"
  printf '== %s: %s\n' "$text" "$*" >>"$log"
  "$@" >>"$log" 2>&1 || status=$?
  if ((status == 0)); then
    echo "done ($((SECONDS - start)) s)"
    return
  fi
  echo "failed (status $status)"
  tail -n "+$((lines + 1))" "$log" | tail -n 25 | sed 's/^/    /' >&2
  return "$status"
}

# tries COMMAND…: what needs the network is tried three times, since a mirror may be away for a moment.
tries() {
  local pause status
  for pause in 5 20 0; do
    status=0
    "$@" || status=$?
    ((status)) || return 0
    sleep "$pause"
  done
  return "$status"
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

missing_packages() {
  local package wanted=("${packages[@]}")
  [[ $verb != test ]] || wanted+=("${test_packages[@]}")
  for package in "${wanted[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# The next try takes a new list: a package of the old one may be gone.
install_or_renew_list() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" && return
  as_root apt-get update
  return 1
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    local tool  # not a Debian: check what has a command; CMake then names each library that is missing
    for tool in g++ cmake ninja mpirun python3; do
      command -v "$tool" >/dev/null ||
        fail "$tool is missing and there is no apt-get here; bring it with your package manager (Debian's names: ${packages[*]})"
    done
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  local bring="apt-get update && apt-get install -y ${missing[*]}"
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}, and there is no apt-get here; bring them with: $bring"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    fail "missing: ${missing[*]}; you are not root and there is no sudo. As root: $bring"
  ((EUID == 0)) || sudo true || fail "missing: ${missing[*]}; sudo was refused. As root: $bring"
  phase "Debian's list of packages" tries as_root apt-get update ||
    fail "apt-get update failed (no network?); missing: ${missing[*]}; bring them with: sudo sh -c '$bring'"
  phase "Debian packages: ${missing[*]}" tries install_or_renew_list "${missing[@]}" ||
    fail "apt-get could not install: ${missing[*]}; try: sudo sh -c '$bring'"
}

check_compiler() {
  local compiler=${CXX:-g++} version
  command -v "$compiler" >/dev/null || fail "the compiler $compiler is missing; bring it with: sudo apt-get install g++"
  version=$("$compiler" -dumpversion)
  [[ ${version%%.*} -ge 12 ]] || fail "$compiler $version is too old for C++20, 12 is needed; bring it with:" \
    "sudo apt-get install g++-12, then: CXX=g++-12 ./setup.sh $verb"
}

python_is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

# The environment is made once, and again only when its Python is gone.
make_venv() {
  if [[ -x $venv/bin/python ]] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python_is_new_enough "$venv/bin/python" && return
    fail "$venv has a Python older than 3.10; remove it with: rm -r $venv, then: PYTHON=python3.11 ./setup.sh $verb"
  fi
  local python=${PYTHON:-python3}
  command -v "$python" >/dev/null || fail "$python is missing; bring it with: sudo apt-get install python3 python3-venv"
  python_is_new_enough "$python" || fail "$("$python" --version 2>&1) is too old for torch 2.11, 3.10 is needed;" \
    "bring it with: sudo apt-get install python3.11 python3.11-venv, then: PYTHON=python3.11 ./setup.sh $verb"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$(command -v "$python") cannot make environments (no ensurepip);" \
    "bring it with: sudo apt-get install python3-venv, then: PYTHON=/usr/bin/python3 ./setup.sh $verb"
  phase "Python environment $venv" "$python" -m venv --clear "$venv" || fail "$python -m venv $venv failed; its words: $log"
}

# install_python FILE NOTE: a stamp holds the file's hash, so that a second call costs nothing.
install_python() {
  local requirements=$1 note=$2 hash stamp
  stamp=$venv/.installed-${requirements//\//-}
  hash=$(sha256sum <"$requirements")
  [[ -f $stamp && $(<"$stamp") == "$hash" ]] && return
  phase "Python packages of $requirements ($note)" \
    tries "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -r "$requirements" ||
    fail "pip failed (network? disk?); bring the packages with: $venv/bin/python -m pip install -r $requirements"
  echo "$hash" >"$stamp"
}

# nproc alone would heed OMP_NUM_THREADS, which says how many threads a rank has.
cores() { env -u OMP_NUM_THREADS nproc; }

# compilers: one compiler a core, and 2 GB of memory for each, since a file that includes torch takes that much.
compilers() {
  local most memory
  most=$(cores)
  memory=$(awk '/MemAvailable/ {print int($2 / 2000000)}' /proc/meminfo)
  ((memory < 1)) && memory=1
  echo $((most < memory ? most : memory))
}

# build_targets TARGET…
build_targets() {
  install_packages
  check_compiler
  make_venv
  install_python src/requirements.txt "torch is 4.6 GB on disk"
  local options=(-DLECO_PYTHON="$PWD/$venv/bin/python")
  [[ -z ${LECO_CUDA:-} ]] || options+=(-DLECO_CUDA="$LECO_CUDA")
  phase "Configure" cmake -S . -B "$build" -G Ninja "${options[@]}" || fail "CMake could not configure; all its words: $log"
  phase "Build $* (CUDA $(sed -n 's/^LECO_CUDA:BOOL=//p' $build/CMakeCache.txt); the first time takes minutes)" \
    cmake --build "$build" -j "$(compilers)" --target "$@" || fail "the build failed; all its words: $log"
}

build_program() {
  build_targets leco
  echo "program: $build/launcher/leco"
}

# run WORD…: the command, shown as a person would type it.
run() {
  local word line='$'
  for word; do
    [[ $word != *" "* ]] || word=${word@Q}
    line+=" $word"
  done
  echo "$line"
  "$@"
}

run_demo() {
  build_targets leco
  local mpi=(mpirun -n 2 --oversubscribe)  # two ranks also where there is one core
  ((EUID == 0)) && mpi+=(--allow-run-as-root)
  local train=("$build/launcher/leco" train --config_file configs/toy_slider.toml)
  run "${mpi[@]}" "${train[@]}" || fail "the training ended with status $?; its words stand above"
  local lora=output/toy/toy_size.safetensors
  [[ -s $lora ]] || fail "the training reported success, but $lora is not there"
  local model=tests/data/toy-sd grid=output/toy/toy_size.png report=output/toy/evaluation
  local draw=("$build/launcher/leco" sample --pretrained_model_name_or_path=$model --network_weights=$lora
    --prompt="a red circle" --prompt="a green circle" --prompt="a blue circle" --scales=-2,-1,0,1,2
    --height=64 --width=64 --sample_steps=15 --guidance_scale=3 --seed=3 --output=$grid)
  local measure=("$build/launcher/leco" evaluate --pretrained_model_name_or_path=$model --network_weights=$lora
    --prompts_file=configs/prompts/toy_size.toml --samples=8 --sample_steps=15 --guidance_scale=3 --output=$report)
  run "${draw[@]}" || fail "drawing ended with status $?; its words stand above"
  run "${measure[@]}" || fail "measuring ended with status $?; its words stand above"
  cat <<TEXT

The LoRA:    $PWD/$lora
Drawn by it: $PWD/$grid   (a column for each strength, from small at -2 to big at 2)
Measured:    $PWD/$report/report.html
TEXT
}

run_tests() {
  build_targets all
  install_python tests/requirements.txt "the programs that tests compare with"
  # Two at a time: the MPI tests declare that they take both places, so nothing that is timed shares its cores.
  ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$(($(cores) < 2 ? 1 : 2))"
}

readonly verb=${1:-}
[[ $# -eq 1 ]] || { usage >&2; exit 2; }
case $verb in
  build) action=build_program ;;
  demo) action=run_demo ;;
  test) action=run_tests ;;
  -h | --help | help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
[[ ${LECO_CUDA:-ON} == @(ON|OFF) ]] || fail "LECO_CUDA=$LECO_CUDA: it is ON or OFF"
mkdir -p "$build"
: >"$log"
"$action"
