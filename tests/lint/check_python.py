"""Python names exist and imports are used. A test whose name is missing, as after a merge, would else fail after minutes only."""
import ast
import sys

from pyflakes.checker import Checker
from source_tree import files, report, root_from_arguments


def problems_of(path):
    try:
        tree = ast.parse(path.read_text(), str(path))
    except SyntaxError as error:
        return [(path, error.lineno, error.msg)]
    return [(path, found.lineno, found.message % found.message_args) for found in Checker(tree, str(path)).messages]


def main() -> int:
    root = root_from_arguments()
    found = [problem for path in files(root, r"\.py$") for problem in problems_of(path)]
    return report(root, sorted(found, key=lambda problem: problem[:2]))


if __name__ == "__main__":
    sys.exit(main())
