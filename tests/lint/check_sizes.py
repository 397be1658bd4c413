"""Files, functions and parameter lists stay small enough to be read at once."""
import ast
import re
import sys

from source_tree import code_only, files, report, root_from_arguments

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 5
SHORTER = {"Trainer::step": 40}  # it reads as section 1 of the specification

OPENS_SCOPE = re.compile(r"^(?:\s|inline\b|export\b|template\s*<[^{}]*>|\[\[[^\]]*\]\])*"
                         r"(?:namespace|class|struct|union|enum|extern\s+0)\b")
AFTER_PARAMETERS = re.compile(r"(?:\s|const\b|noexcept\b|override\b|final\b|mutable\b|&|->[^{}()]*)*$")
NAME = re.compile(r"((?:[\w~]+\s*(?:<[^<>()]*>)?\s*::\s*)*(?:operator\s*(?:\(\s*\)|[^\s(]+)|~?\w+))\s*\(")


def split_list(text):
    """The parts between the commas that no bracket encloses."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += (char in "([{<") - (char in ")]}>" and text[place - 1] != "-")
        if char == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part for part in parts if part.strip() not in ("", "void")]


def name_and_parameters(header):
    match = NAME.search(header)
    if not match:
        return None, []
    depth, start = 1, match.end()
    for place in range(start, len(header)):
        depth += (header[place] == "(") - (header[place] == ")")
        if depth == 0:
            return re.sub(r"\s+", "", match[1]), split_list(header[start:place])
    return None, []


def functions(text):
    """(name, parameters, first line, last line) of each function body outside other functions.

    A brace after a namespace or a class opens a scope. A brace after a closed parameter list opens a function, and what
    lies inside belongs to it, lambdas too. Any other brace is an initialiser, and the declaration goes on behind it.
    """
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: "\n" * m[0].count("\n"), code_only(text), flags=re.M)
    open_braces, header, header_line, line = [], "", 1, 1
    for char in text:
        if "function" in open_braces or "initialiser" in open_braces:
            if char == "{":
                open_braces.append("inner")
            elif char == "}":
                kind = open_braces.pop()
                if kind == "function":
                    yield (*name_and_parameters(header), header_line, line)
                header = header + "()" if kind == "initialiser" else "" if kind == "function" else header
        elif char == "{":
            behind = header[header.rfind(")") + 1:] if ")" in header else None
            if OPENS_SCOPE.match(header):
                open_braces.append("scope")
                header = ""
            else:
                is_function = behind is not None and AFTER_PARAMETERS.fullmatch(behind)
                open_braces.append("function" if is_function else "initialiser")
        elif char in "};":
            if char == "}" and open_braces:
                open_braces.pop()
            header = ""
        else:
            if not header.strip():
                header, header_line = "", line
            header += char
        line += char == "\n"


def check_cpp(path, text):
    for name, parameters, first, last in functions(text):
        if name is None:
            continue
        limit = next((lines for end, lines in SHORTER.items() if name.endswith(end)), FUNCTION_LINES)
        if last - first + 1 > limit:
            yield path, first, f"{name} has {last - first + 1} lines, at most {limit}; give a part of it a name of its own"
        if len(parameters) > PARAMETERS:
            yield path, first, f"{name} takes {len(parameters)} parameters, at most {PARAMETERS}; gather them in a struct"


def check_python(path, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield path, node.lineno, f"{node.name} has {lines} lines, at most {FUNCTION_LINES}; split it"


def main() -> int:
    root = root_from_arguments()
    problems = []
    scripts = [path for path in (root / "setup.sh", root / "CMakeLists.txt") if path.exists()]
    for path in scripts + files(root, r"(\.(h|cpp|cu|py|sh|cmake)|^CMakeLists\.txt)$"):
        text = path.read_text()
        lines = text.count("\n")
        if lines > FILE_LINES:
            problems.append((path, lines, f"{lines} lines, at most {FILE_LINES}; split the file by idea"))
        if path.suffix in (".h", ".cpp", ".cu"):
            problems += check_cpp(path, text)
        elif path.suffix == ".py":
            problems += check_python(path, text)
    return report(root, problems)


if __name__ == "__main__":
    sys.exit(main())
