#!/usr/bin/env bash
# All effects of docs/effect.md, trained and measured: some eight minutes on two idle cores. After ./setup.sh test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec .venv/bin/python tests/effect/effect_test.py mpirun build/launcher/leco slider enhance erase preserve
