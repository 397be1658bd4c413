"""Documents do not promise what is not there: every relative link leads to a file, every flag stands in docs/flags.md, and
every place in the tree or in the code that they name exists."""
import functools
import re
import sys

from source_tree import LEFT_OUT, files, report, root_from_arguments

FLAG = re.compile(r"(?<![\w-])--([a-zA-Z][\w-]*)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
PLACE = re.compile(r"`(?:((?:src|launcher|tests|configs|docs|slurm)/[\w/.*-]+)|([A-Z]\w+)::(\w+))`")

# Flags of other programs that the documents show; all others must be ours.
FOREIGN = {
    "cmake": {"build", "install", "prefix", "target"},
    "ctest": {"test-dir", "output-on-failure", "no-tests"},
    "mpirun": {"allow-run-as-root", "oversubscribe", "bind-to", "map-by", "hostfile", "host", "report-bindings", "mca"},
    "srun and sbatch": {"mpi", "kill-on-bad-exit", "nodes", "ntasks", "ntasks-per-node", "gpus-per-node", "gpus-per-task",
                        "gpu-bind", "cpus-per-task", "cpu-bind", "time", "export", "signal", "account", "partition", "array", "requeue",
                        "open-mode"},
    "apptainer": {"nv", "bind"},
    "clang-format": {"dry-run"},
    "tests/bench": {"model", "save", "repeats", "precision", "checkpointing"},
    "webui": {"no-half"},
    "the lines of a sample-prompt file": {"n", "w", "h", "d", "s", "l", "ss", "m", "g", "cn"},
}
OUTSIDE_THE_TABLE = {"version", "flag"}  # `leco --version`, and "--flag" where a page means any flag
NOT_OURS = OUTSIDE_THE_TABLE.union(*FOREIGN.values())


def documents(root):
    found = [path for path in root.rglob("*.md") if not LEFT_OUT.intersection(path.relative_to(root).parts)]
    return sorted(path for path in found if not any(part.startswith("build") for part in path.relative_to(root).parts))


def heading_anchors(text):
    """The anchors that a page offers: headings in lower case, punctuation dropped, spaces as hyphens."""
    headings = re.findall(r"^#+\s+(.*?)\s*$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_link(path, number, link):
    if re.match(r"[a-z]+:", link):
        return
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    if not target.exists():
        yield path, number, f"the link to '{link}' leads nowhere; mend the path or write the page"
    elif anchor and target.suffix == ".md" and anchor not in heading_anchors(target.read_text()):
        yield path, number, f"'{name or path.name}' has no heading '#{anchor}'; mend the anchor"


def has_member(root, name, member):
    """Whether a header speaks of both."""
    return any(all(re.search(rf"\b{word}\b", header) for word in (name, member)) for header in headers(root))


@functools.cache
def headers(root):
    return [path.read_text() for path in files(root, r"\.h$")]


def check_places(root, path, number, line):
    for place, name, member in PLACE.findall(line):
        if place and not any(root.glob(place)) and not any(root.glob(place + ".*")):
            yield path, number, f"there is no '{place}'; mend the path"
        elif name and not has_member(root, name, member):
            yield path, number, f"no header has '{name}' with '{member}'; mend the name"


def main() -> int:
    root = root_from_arguments()
    table = root / "docs" / "flags.md"
    known = set(FLAG.findall(table.read_text())) if table.exists() else set()
    problems = []
    for path in documents(root):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for link in LINK.findall(line):
                problems += check_link(path, number, link)
            problems += check_places(root, path, number, line)
            for flag in FLAG.findall(line):
                if table.exists() and path != table and flag not in known | NOT_OURS:
                    problems.append((path, number, f"--{flag} is not in docs/flags.md; mend the name (a flag of another "
                                                   "program goes to FOREIGN in tests/lint/check_docs.py)"))
    if not table.exists():
        problems.append((table, 1, "the page is missing, so no flag can be compared; the program's flag table writes it"))
    return report(root, problems)


if __name__ == "__main__":
    sys.exit(main())
