#!/usr/bin/env bash
# Unit and parity tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a build folder of their own.
# Needs what `./setup.sh test` has installed. CUDA stays out: its driver maps memory in ways ASan refuses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly build=build-asan kinds='^(unit|parity)$'
cmake -S . -B "$build" -G Ninja -DLECO_SANITIZE=ON -DLECO_CUDA=OFF -DLECO_PYTHON="$PWD/.venv/bin/python"

# A test is named KIND.PROGRAM, so the list of tests is also the list of programs to build.
mapfile -t programs < <(ctest --test-dir "$build" -N -L "$kinds" | sed -n 's/^ *Test *#[0-9]*: *[a-z]*\.//p')
mapfile -t targets < <(ninja -C "$build" -t targets all | sed -n 's/: phony$//p' | grep -Fxf <(printf '%s\n' "${programs[@]}"))
ninja -C "$build" "${targets[@]}"

# Leaks are not looked for: libtorch keeps its registries until the process ends, which drowns ours in its reports.
export ASAN_OPTIONS=detect_leaks=0:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir "$build" -L "$kinds" --output-on-failure --no-tests=error -j "$(($(nproc) < 2 ? 1 : 2))"
