"""Each check is run on small made-up trees: it must pass the good one and name what is wrong in each bad one."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent

GOOD = {
    "src/core/CMakeLists.txt": "leco_library(core SOURCES error.cpp)\n",
    "src/core/error.h": "#pragma once\n\nnamespace leco {\n\nint status();\n\n}  // namespace leco\n",
    "src/config/CMakeLists.txt": "leco_library(config SOURCES file.cpp LINKS core)\n",
    "src/config/file.cpp": '#include "core/error.h"\n\n#include <toml++/toml.h>\n',
    "src/plan/CMakeLists.txt": "leco_library(plan SOURCES plan.cpp LINKS config)\n",
    "src/comm/CMakeLists.txt": "leco_library(comm SOURCES a.cpp LINKS core)\n",
    "src/comm/session.h": '#include "comm/mpi_error.h"\n',
    "src/comm/mpi_error.h": "#include <mpi.h>\n",
    "src/plan/plan.cpp": '#include "config/file.h"\n#include "core/error.h"\n// What y = n + g is, and why (see SPEC);\n',
    "docs/flags.md": "| `--seed` | the seed |\n",
    "README.md": "# Read me\n[flags](docs/flags.md) [top](#read-me), `--seed 1`, `cmake --install build`\n",
    ".clang-format": "BasedOnStyle: Google\nColumnLimit: 110\nIncludeBlocks: Preserve\n",
}


def body(lines):
    return "".join(f"  ++count{i};\n" for i in range(lines))


# (check, file, its bad text, what the check must say about it)
BAD = [
    ("includes", "src/core/error.cpp", '#include "config/file.h"\n', "src/core/error.cpp:1: 'core' may not include 'config'"),
    ("includes", "src/core/CMakeLists.txt", "leco_library(core SOURCES e.cpp\n LINKS config)\n", "which is not below it"),
    ("includes", "src/core/error.cpp", '#include "error.h"\n', 'write the folder: #include "core/error.h"'),
    ("includes", "src/plan/plan.cpp", "\n#include <mpi.h>\n", "src/plan/plan.cpp:2: mpi.h may not be included here"),
    ("includes", "launcher/main.cpp", "#include <nccl.h>\n", "launcher/main.cpp:1: nccl.h may not be included here"),
    ("includes", "launcher/main.cpp", '#include "comm/session.h"\n', "comm/session.h is private to comm"),
    ("includes", "src/core/error.cpp", "#include <spdlog/spdlog.h>\n", "spdlog/spdlog.h may not be included here"),
    ("includes", "src/plan/plan.cpp", "#include <toml++/toml.h>\n", "toml++/toml.h may not be included here"),
    ("includes", "src/config/file.cpp", "#include <torch/types.h>\n", "torch/types.h may not be included here"),
    ("includes", "src/plan/plan.cpp", "#include <cairo.h>\n", "cairo.h may not be included here"),
    ("includes", "src/newcomer/CMakeLists.txt", "leco_library(newcomer SOURCES a.cpp)\n", "'newcomer' has no level"),
    ("sizes", "src/core/long.cpp", "int a;\n" * 401, "401 lines, at most 400"),
    ("sizes", "src/core/f.cpp", "int f(int a) {\n" + body(59) + "}\n", "src/core/f.cpp:1: f has 61 lines, at most 60"),
    ("sizes", "src/core/f.cpp", "A::A() : a_{1}, b_(2) {\n" + body(59) + "}\n", "A::A has 61 lines"),
    ("sizes", "src/core/f.cpp", "class A {\n int g() const {\n" + body(59) + " }\n};\n", "src/core/f.cpp:2: g has 61 lines"),
    ("sizes", "src/core/f.cpp", "void Trainer::step() {\n" + body(39) + "}\n", "Trainer::step has 41 lines, at most 40"),
    ("sizes", "src/core/f.cpp", "int f(int a, std::map<int, int> b, int c, int d, int e, int g) {}\n", "takes 6 parameters"),
    ("sizes", "tests/lint/f.py", "def f():\n" + "    pass\n" * 61, "f has 62 lines"),
    ("names", "src/core/io_utils.cpp", "int a;\n", "'io_utils' says nothing"),
    ("names", "src/core/merge_v2.cpp", "int a;\n", "'merge_v2' says nothing"),
    ("names", "src/core/FileName.cpp", "int a;\n", "file names are snake_case"),
    ("names", "src/core/a.cpp", "int a;\n// TO" "DO: more\n", "src/core/a.cpp:2: 'TO" "DO'"),
    ("names", "src/core/a.cpp", "// total += weight * loss;\n", "this comment is code"),
    ("names", "src/core/a.cpp", "  // optimizer.step();\n", "this comment is code"),
    ("names", "src/core/a.cpp", "// const int n = 3;\n", "this comment is code"),
    ("names", "src/core/a.cpp", "// std::vector<int> order(3);\n", "this comment is code"),
    ("names", "src/core/a.cpp", "// if (ready) {\n", "this comment is code"),
    ("names", "setup.sh", 'make -j "$(nproc)"\n', "setup.sh:1: nproc heeds OMP_NUM_THREADS"),
    ("format", "src/core/a.cpp", "int  a ;\n", "src/core/a.cpp:1: not formatted"),
    ("docs", "README.md", "[gone](docs/gone.md)\n", "README.md:1: the link to 'docs/gone.md' leads nowhere"),
    ("docs", "README.md", "`src/core/gone.h`\n", "README.md:1: there is no 'src/core/gone.h'"),
    ("docs", "README.md", "`Error::gone`\n", "README.md:1: no header has 'Error' with 'gone'"),
    ("docs", "README.md", "[flags](docs/flags.md#seeds)\n", "has no heading '#seeds'"),
    ("docs", "docs/guide.md", "\nuse `--sede 1`\n", "docs/guide.md:2: --sede is not in docs/flags.md"),
    ("python", "tests/e2e/a.py", "\nos.getpid()\n", "tests/e2e/a.py:2: undefined name 'os'"),
    ("python", "tests/e2e/a.py", "import os\n", "tests/e2e/a.py:1: 'os' imported but unused"),
    ("python", "tests/e2e/a.py", "for i in range(3):\n", "tests/e2e/a.py:1: expected an indented block"),
]

# Shapes that look bad to a simple scanner and are good.
FINE = [
    ("sizes", "src/core/a.cpp", 'const char* k = R"(void f() {)";\n// {\nchar c = \'{\';\nint big = 1\'000;\n' + "int b;\n" * 70),
    ("sizes", "src/core/a.cpp", "std::vector<int> list{1, 2};\n" + "int a() { return 1; }\n" * 70),
    ("sizes", "src/core/a.h", "class A {\n" + "  int x_ = 0;\n" * 70 + "};\n"),
    ("sizes", "src/core/a.cpp", "int f(std::map<int, std::pair<int, int>> a, std::function<int(int, int, int)> b) {}\n"),
    ("names", "src/core/a.cpp", "// The draws are equal on all ranks; the order is the contract.\n// (SPEC, section 2);\n"),
]


def run(check, changes):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **changes}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, HERE / f"check_{check}.py", folder], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


def main() -> int:
    cases = [(check, {}, 0, "0 problem(s)") for check in ("includes", "sizes", "names", "format", "docs", "python")]
    cases += [(check, {name: text}, 1, words) for check, name, text, words in BAD]
    cases += [(check, {name: text}, 0, "0 problem(s)") for check, name, text in FINE]
    if not shutil.which("clang-format"):
        cases = [case for case in cases if case[0] != "format"]
    failed = 0
    for check, changes, status, words in cases:
        got, said = run(check, changes)
        if got != status or words not in said:
            failed += 1
            print(f"check_{check}.py on {changes or 'the good tree'}:\n  wanted status {status} and: {words}\n  got {got}: {said}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
