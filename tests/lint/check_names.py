"""Names say what a thing is, and nothing unfinished or switched off is left in the text."""
import re
import sys

from source_tree import files, report, root_from_arguments

BAD_STEM = re.compile(r"(^|_)(utils?|helpers?|misc|common|stuff|v\d+|new|old)$")
UNFINISHED = re.compile(r"\b(T[O]DO|FIX[M]E|X{3}|HA[C]K)\b")
STATEMENT = re.compile(
    r"^(#\s*(include|define|if|ifdef|endif)\b.*"
    r"|(return|auto|const|int|int64_t|double|float|bool|using|throw|delete)\b.*;"
    r"|(\w+::)+\w+(<.*>)?[&*]?\s+\w+.*;"
    r"|[\w:.\[\]>-]+\s*(\(.*\)|[-+*/|&]?=[^=].*);"
    r"|(if|for|while|switch)\s*\(.*\)\s*\{?|\}( else.*)?)$"
)
# Of a shell script: with OMP_NUM_THREADS=1, as tests are run, it says that the machine has one core.
BARE_NPROC = re.compile(r"(?<!-u OMP_NUM_THREADS )\bnproc\b")


def check_lines(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        unfinished = UNFINISHED.search(line)
        if unfinished:
            yield path, number, f"'{unfinished[0]}': finish it now, or file an issue and remove the mark"
        comment = re.match(r"\s*//+\s*(.*?)\s*$", line)
        if comment and path.suffix in (".h", ".cpp", ".cu") and STATEMENT.match(comment[1]):
            yield path, number, "this comment is code; delete it, git remembers"
        if path.suffix == ".sh" and BARE_NPROC.search(line.partition("#")[0]):
            yield path, number, "nproc heeds OMP_NUM_THREADS; write: env -u OMP_NUM_THREADS nproc"


def main() -> int:
    root = root_from_arguments()
    problems = []
    for path in files(root, r"(\.(h|cpp|cu|py|sh|cmake)|^CMakeLists\.txt)$"):
        if BAD_STEM.search(path.stem):
            problems.append((path, 1, f"'{path.stem}' says nothing; name the file after its one idea"))
        elif not re.fullmatch(r"[a-z0-9_]+\.\w+|CMakeLists\.txt", path.name):
            problems.append((path, 1, "file names are snake_case; rename it"))
        problems += check_lines(path)
    for path in root.glob("*.sh"):
        problems += check_lines(path)
    return report(root, problems)


if __name__ == "__main__":
    sys.exit(main())
