"""The hub cache against huggingface_hub: in one cache both find the same snapshot, whatever variable names the cache.

Usage: hub_cache_python_test.py PATH_OF_MODEL_SOURCE_TOOL
"""

import os
import subprocess
import sys
import tempfile

import huggingface_hub

TOOL = sys.argv[1]
ID = "runwayml/stable-diffusion-v1-5"
COMMITS = ("0123456789abcdef" * 3)[:40], "f" * 40, "a" * 40
ASK = """
import sys
from huggingface_hub import constants, try_to_load_from_cache
print(constants.HF_HUB_CACHE)
for revision in sys.argv[2:]:
    found = try_to_load_from_cache(sys.argv[1], "model_index.json", revision=revision)
    print(found if isinstance(found, str) else "")
"""


def make_cache(hub):
    """Three commits; main and fp16 are branches, the third was fetched by its hash."""
    for number, commit in enumerate(COMMITS):
        repo = os.path.join(hub, "models--" + ID.replace("/", "--"))
        snapshot = os.path.join(repo, "snapshots", commit)
        os.makedirs(os.path.join(repo, "blobs"), exist_ok=True)
        os.makedirs(os.path.join(repo, "refs"), exist_ok=True)
        os.makedirs(os.path.join(snapshot, "unet"))
        for name in ("model_index.json", "unet/config.json"):
            blob = os.path.join(repo, "blobs", f"{name.replace('/', '-')}-{number}")
            with open(blob, "w") as file:
                file.write("{}")
            link = os.path.join(snapshot, name)
            os.symlink(os.path.relpath(blob, os.path.dirname(link)), link)
        for branch in ("main", "fp16")[number:number + 1]:
            with open(os.path.join(repo, "refs", branch), "w") as file:
                file.write(commit)


def lines(command, environment):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()


def compare(variables, home):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("HF_", "HUGGINGFACE_", "XDG_CACHE"))}
    environment = {**kept, "HOME": home, **variables}
    revisions = ["main", "fp16", *COMMITS, "e" * 40, "no-such-branch"]
    hub, *theirs = lines([sys.executable, "-c", ASK, ID, *revisions], environment)
    ours = [line.split("\t") for line in lines([TOOL, "hub", ID, *revisions], environment)]
    for revision, found, (kind, said) in zip(revisions, theirs, ours, strict=True):
        if found:
            assert kind == "found" and os.path.samefile(os.path.dirname(found), said), (revision, found, said)
            assert os.path.isfile(os.path.join(said, "unet/config.json"))
        else:
            assert kind == "missing" and hub in said and "hf download " + ID in said, (hub, revision, said)
    return theirs


def main():
    with tempfile.TemporaryDirectory() as folder:
        cases = (
            ({}, ".cache/huggingface/hub"),
            ({"XDG_CACHE_HOME": f"{folder}/xdg"}, "xdg/huggingface/hub"),
            ({"HF_HOME": "~/hf"}, "hf/hub"),
            ({"HF_HOME": f"{folder}/wrong", "HUGGINGFACE_HUB_CACHE": f"{folder}/named"}, "named"),
            ({"HUGGINGFACE_HUB_CACHE": f"{folder}/wrong", "HF_HUB_CACHE": "${HOME}/hub of $HF_MINE/", "HF_MINE": "me"},
             "hub of me"),
        )
        for variables, hub in cases:
            assert not any(compare(variables, folder)), "found before it was made"
            make_cache(os.path.join(folder, hub))
            assert len([found for found in compare(variables, folder) if found]) == 5, variables
            scan = huggingface_hub.scan_cache_dir(os.path.join(folder, hub))
            assert not scan.warnings, scan.warnings  # the made-up cache is one by their own rules
            assert {revision.commit_hash for repo in scan.repos for revision in repo.revisions} == set(COMMITS)
            print("ok", hub)


if __name__ == "__main__":
    main()
