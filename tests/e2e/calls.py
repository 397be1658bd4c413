"""What the tests of plan and inspect ask of a call: its output, its JSON, or that it is refused. Runs in the
project's root, so that paths stand as in the configurations."""
import json
import os

from leco_runs import ROOT, TOY, Run

__all__ = ["ROOT", "TOY", "Failed", "call", "check", "json_of", "output_of", "refused", "run_all"]
os.chdir(ROOT)


class Failed(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failed(message)


def call(*arguments, ranks=None):
    return Run(arguments, ranks)


def output_of(*arguments, ranks=None):
    """Standard output of a call that must succeed."""
    run = call(*arguments, ranks=ranks)
    check(run.status == 0, f"{arguments}: status {run.status}: {run.err}")
    return run.out


def json_of(*arguments, ranks=None):
    """Standard output as JSON: nothing else may stand there, and no NaN."""
    def refuse(word):
        raise Failed(f"{arguments}: {word} is no JSON")
    return json.loads(output_of(*arguments, "--json", ranks=ranks), parse_constant=refuse)


def refused(*arguments, naming, ranks=None):
    """Exit status 2, nothing on standard output, and one line that holds all of `naming`."""
    run = call(*arguments, ranks=ranks)
    check(run.status == 2, f"{arguments}: status {run.status}, not 2: {run.err}")
    check(run.out == "", f"{arguments}: wrote {run.out!r}")
    check(len(run.errors()) == 1, f"{arguments}: one line of error expected: {run.err}")
    for part in naming:
        check(part in run.errors()[0], f"{arguments}: {part!r} is not in {run.errors()[0]!r}")


def run_all(tests):
    """Runs the functions, says what failed, returns the exit status."""
    failed = 0
    for test in tests:
        try:
            test()
            print("ok    ", test.__name__)
        except Failed as failure:
            failed += 1
            print("FAILED", test.__name__, "-", failure)
    return min(failed, 1)
