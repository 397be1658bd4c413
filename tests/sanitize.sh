#!/usr/bin/env bash
# Unit and parity tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a build folder of their own.
# Needs what `./setup.sh test` has installed. CUDA stays out: its driver maps memory in ways ASan refuses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly build=build-asan
cmake -S . -B "$build" -G Ninja -DLECO_SANITIZE=ON -DLECO_CUDA=OFF -DLECO_PYTHON="$PWD/.venv/bin/python"
ninja -C "$build" tests/unit/all tests/parity/all  # CMake's names for all programs of a folder

export ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir "$build" -L '^(unit|parity)$' --output-on-failure --no-tests=error -j "$(($(env -u OMP_NUM_THREADS nproc) < 2 ? 1 : 2))"
