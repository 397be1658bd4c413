"""What the checks share: which files they read, C++ text without comments and strings, and how they report."""
import pathlib
import re
import sys

OWN_FOLDERS = ("src", "launcher", "tests")
LEFT_OUT = {"build", ".venv", ".git", "data", "output", "__pycache__"}


def root_from_arguments() -> pathlib.Path:
    """The tree to check: the first argument, else the repository that holds this file."""
    return pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()


def files(root: pathlib.Path, pattern: str, folders=OWN_FOLDERS):
    """Files below `folders` whose name matches the regular expression, in a stable order, without generated ones."""
    found = []
    for folder in folders:
        for path in (root / folder).rglob("*"):
            inside = path.relative_to(root).parts
            if path.is_file() and not LEFT_OUT.intersection(inside) and re.search(pattern, path.name):
                found.append(path)
    return sorted(found)


TOKENS = re.compile(
    r'R"(?P<tag>[^\s()\\]{0,16})\((?:.|\n)*?\)(?P=tag)"'  # raw string
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'"  # not the digit separator of 1'000
    r"|//[^\n]*|/\*(?:.|\n)*?\*/"
)


def code_only(text: str) -> str:
    """C++ text with comments dropped and literals emptied; every line keeps its number."""

    def blank(match):
        kept = "" if match[0].startswith(("//", "/*")) else "0"
        return kept + "\n" * match[0].count("\n")

    return TOKENS.sub(blank, text)


def report(root: pathlib.Path, problems) -> int:
    """Prints `file:line: what and how to mend`, one problem a line; the exit status of the check."""
    for path, line, what in problems:
        print(f"{path.relative_to(root)}:{line}: {what}")
    print(f"{pathlib.Path(sys.argv[0]).name}: {len(problems)} problem(s)")
    return 1 if problems else 0
