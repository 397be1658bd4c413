"""C++ looks as .clang-format says. Another clang-format formats otherwise, so only Debian 12's version is asked."""
import re
import shutil
import subprocess
import sys

from source_tree import files, report, root_from_arguments

PINNED = 14
SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def main() -> int:
    root = root_from_arguments()
    program = shutil.which(f"clang-format-{PINNED}") or shutil.which("clang-format")
    if not program:
        print(f"skipped: clang-format {PINNED} is missing; bring it with: sudo apt-get install clang-format-{PINNED}")
        return SKIPPED
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if f"version {PINNED}." not in version:
        print(f"skipped: {version.strip()}; the pinned one is {PINNED}")
        return SKIPPED
    problems = []
    for path in files(root, r"\.(h|cpp|cu)$"):
        run = subprocess.run([program, "--dry-run", "--style=file", str(path)], capture_output=True, text=True, cwd=root)
        first = re.search(r":(\d+):\d+: (?:warning|error)", run.stderr)
        if first or run.returncode:
            problems.append((path, first[1] if first else 1, f"not formatted; mend with: clang-format -i {path.relative_to(root)}"))
    return report(root, problems)


if __name__ == "__main__":
    sys.exit(main())
