"""Folders depend one way: the LINKS of src/*/CMakeLists.txt are the only includes allowed, and LINKS point downwards."""
import re
import sys

from source_tree import files, report, root_from_arguments

# From the bottom up; a folder may link to folders of lower rows only.
LEVELS = (
    ("core",),
    ("config", "io", "comm"),
    ("plan", "picture", "text", "model"),
    ("lora", "diffusion"),
    ("optim", "pipeline", "sample", "health"),
    ("train", "measure"),
    ("report",),
    ("sweep",),
)
LEVEL = {name: level for level, row in enumerate(LEVELS) for name in row}

# (headers, the files that may include them, why)
LIBRARY_HEADERS = (
    (r"nccl\.h|mpi\.h", r"^src/comm/", "MPI and NCCL stay behind comm/communicator.h"),
    (r"spdlog/.*", r"^src/core/log\.cpp$", "spdlog's fmt and libtorch's fmt may not meet: use core/log.h"),
    (r"toml\+\+/.*|toml\.hpp|toml\+\+\.h", r"^(src/config|launcher)/", "files become structs in src/config"),
    (r"yaml-cpp/.*", r"^src/config/", "files become structs in src/config"),
    (r"CLI/.*", r"^launcher/", "flags become structs in launcher"),
    (r"png\.h|gif_lib\.h|cairo.*|pango/.*", r"^src/picture/\w+\.cpp$", "the rest of the program asks src/picture"),
    (r"(torch|ATen|c10)/.*", r"^(?!src/(core|config|plan)/)", "core, config and plan are built without libtorch"),
)


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def private_headers(root):
    """Headers of comm that bring MPI or NCCL with them, over however many steps; no other folder may include them."""
    brings = {f"comm/{path.name}": {match[2] for match in INCLUDE.finditer(path.read_text())}
              for path in files(root, r"\.h$", ["src/comm"])}
    private = {"mpi.h", "nccl.h"}
    while more := {name for name, includes in brings.items() if name not in private and includes & private}:
        private |= more
    return private


def declared_links(root):
    """{folder: (its direct LINKS, its CMakeLists.txt, the line of leco_library)}"""
    links = {}
    for path in files(root, r"^CMakeLists\.txt$", ["src"]):
        text = re.sub(r"#[^\n]*", "", path.read_text())
        for match in re.finditer(r"leco_library\(\s*(\w+)([^)]*)\)", text):
            after = re.split(r"\bLINKS\b", match[2])
            names = after[1].split() if len(after) > 1 else []
            links[match[1]] = (names, path, text.count("\n", 0, match.start()) + 1)
    return links


def reachable(links, name):
    seen, queue = set(), [name]
    while queue:
        for below in links.get(queue.pop(), ([],))[0]:
            if below not in seen:
                seen.add(below)
                queue.append(below)
    return seen


def check_levels(links):
    for name, (below, path, line) in links.items():
        if name not in LEVEL:
            yield path, line, f"folder '{name}' has no level; add it to LEVELS in tests/lint/check_includes.py and to DESIGN"
            continue
        for other in below:
            if other in LEVEL and LEVEL[other] >= LEVEL[name]:
                yield path, line, f"'{name}' links to '{other}', which is not below it; move the shared part down"


def check_file(root, path, links, private):
    where = path.relative_to(root).as_posix()
    folder = path.relative_to(root).parts[1] if where.startswith("src/") and where.count("/") > 1 else None
    allowed = reachable(links, folder) | {folder} if folder else None
    text = path.read_text()
    for include in INCLUDE.finditer(text):
        number, header = text.count("\n", 0, include.end()) + 1, include[2]
        for pattern, places, why in LIBRARY_HEADERS:
            if re.fullmatch(pattern, header) and not re.search(places, where):
                yield path, number, f"{header} may not be included here: {why}"
        if header.startswith("comm/") and header in private and folder != "comm":
            yield path, number, f"{header} is private to comm, since it brings MPI or NCCL with it; use comm/communicator.h"
        if include[1] == '"' and allowed is not None:
            other = header.split("/")[0]
            if "/" not in header:
                yield path, number, f'write the folder: #include "{folder}/{header}"'
            elif other not in allowed:
                yield path, number, (f"'{folder}' may not include '{other}'; it may include {', '.join(sorted(allowed))} "
                                     f"(LINKS in src/{folder}/CMakeLists.txt)")


def main() -> int:
    root = root_from_arguments()
    links, private = declared_links(root), private_headers(root)
    problems = list(check_levels(links))
    for path in files(root, r"\.(h|cpp|cu)$", ["src", "launcher"]):
        problems += check_file(root, path, links, private)
    return report(root, problems)


if __name__ == "__main__":
    sys.exit(main())
