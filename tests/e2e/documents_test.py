"""What the documents show works: every command, prompt file and configuration in README, docs, configs and slurm.

Commands run in a folder where the names of the documents lead to the toy: models/sd15, MODEL, … . The prompt files there
are copies at the toy's size. Every line of
a code block without a language must be a command of a kind that this test knows; other text is fenced as ```text.

usage: documents_test.py MPIEXEC LECO
"""
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

from leco_runs import LECO, LIMIT, ROOT, TOY, LecoTest, environment, main

TINY = {"sd21": ROOT / "tests/data/tiny-sd2v", "sdxl": ROOT / "tests/data/tiny-sdxl"}
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_COMMENTS = sorted([*(ROOT / "configs").rglob("*.toml"), *(ROOT / "configs").rglob("*.yaml")])

# A command as it stands would train for hours: what it sets is checked by `leco plan`, and then it runs with these.
SHORT = {"train": ["--max_train_steps=1", "--max_denoising_steps=2", "--threads=1", "--pairs_per_step=2"],
         "sample": ["--sample_steps=2", "--height=64", "--width=64"],
         "evaluate": ["--samples=1", "--scales=-1,0,1", "--sample_steps=2", "--height=64", "--width=64"]}
REST_OF_A_RUN = ["--config_file", "configs/toy_slider.toml"]  # where a document writes …
LAUNCHERS = {"mpirun", "srun"}


def fenced(text, languages):
    """(line number, body) of the code blocks in these languages."""
    for block in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.M | re.S):
        if block[1] in languages:
            yield text[:block.start()].count("\n") + 2, block[2]


def joined(body):
    """Commands of a shell text, each on one line."""
    return [line for line in body.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def commands_in_comments(text):
    """Commands that stand in comments: '#   leco …', with lines that go on behind a backslash."""
    text = "\n".join(re.sub(r"^#\s?", "", line) for line in text.splitlines() if line.startswith("#"))
    return re.findall(r"^ {2,}(leco .*)$", text.replace("\\\n", " "), re.M)


def words_of(command):
    words = shlex.split(command, comments=True)
    return [word for given in words for word in (REST_OF_A_RUN if given == "…" else [given])]


class DocumentsTest(LecoTest):
    def setUp(self):
        super().setUp()
        for name in ("tests", "docs", "slurm", "src"):
            (self.folder / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "configs", self.folder / "configs")
        for path in (self.folder / "configs" / "prompts").iterdir():
            path.write_text(re.sub(r"\b(512|1024)\b", "64", path.read_text()))
        (self.folder / "models").mkdir()
        for name, model in {"sd15": TOY, **TINY}.items():
            (self.folder / "models" / name).symlink_to(model)
        (self.folder / "prompts").mkdir()
        for name in ("my_prompts.toml", "prompts.toml", "prompts/age.toml", "prompts/hair-long.toml"):
            (self.folder / name).symlink_to(ROOT / "configs/prompts/toy_size.toml")
        program = self.folder / "build/launcher/leco"
        program.parent.mkdir(parents=True)
        program.symlink_to(LECO)

    def name_model(self, model):
        """MODEL and DIR of the documents."""
        for name in ("MODEL", "DIR"):
            (self.folder / name).unlink(missing_ok=True)
            (self.folder / name).symlink_to(model)

    def leco(self, words, ranks=None):
        return self.ok(*words, ranks=ranks, folder=self.folder)

    def check_leco(self, words, launcher=None):
        """words: behind the program's name."""
        command, flags = words[0], words[1:]
        if command == "train":
            self.leco(["plan", *flags])
            if any(family in " ".join(flags) for family in TINY):
                return  # what is special about them is in the plan; their size would take minutes
        self.leco([*words, *SHORT.get(command, [])], ranks=2 if launcher else None)

    def check(self, command):
        """A line of a document. Fails for what is no command that this test knows."""
        words = words_of(command)
        launcher = words[0] if words[0] in LAUNCHERS else None
        programs = [i for i, word in enumerate(words) if pathlib.PurePath(word).name == "leco"]
        if launcher or programs == [0]:
            self.assertTrue(programs, f"{command}: starts no leco")
            return self.check_leco(words[programs[0] + 1:], launcher)
        known = {"sbatch": self.check_sbatch, "./setup.sh": self.check_setup, "ctest": self.check_ctest,
                 "cmake": self.check_build, "python3": self.check_build, "source": self.check_source}
        if words[0] in known:
            return known[words[0]](words)
        script = [word for word in words if word.startswith("tests/")]
        if words[0] == ".venv/bin/python" or words[0].startswith("tests/"):
            return self.assertTrue(script and (ROOT / script[0]).is_file(), f"{command}: no such script")
        self.fail(f"{command}: of no kind that this test knows; a block that holds no commands is fenced as ```text")

    def check_sbatch(self, words):
        script = next(i for i, word in enumerate(words) if word.endswith(".sbatch"))
        self.assertTrue((ROOT / words[script]).is_file(), words)
        self.leco(["plan", *words[script + 1:]])

    def check_setup(self, words):
        usage = subprocess.run(["bash", ROOT / "setup.sh", "--help"], capture_output=True, text=True, timeout=LIMIT).stdout
        self.assertIn(f"./setup.sh {words[1]} ", usage)

    def check_ctest(self, words):
        listed = subprocess.run([*words, "-N"], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
        self.assertRegex(listed.stdout, r"Total Tests: [1-9]", f"{words}: finds no test")

    def check_build(self, words):
        """setup.sh has done the same to build what is tested here."""
        for word in words:
            if word.endswith(".txt"):
                self.assertTrue((ROOT / word).is_file(), word)

    def check_source(self, words):
        self.assertEqual(words[1:], ["<(leco", "completion", "bash)"])
        self.leco(["completion", "bash"])

    def test_commands_in_code_blocks(self):
        self.train("output", output_name="hair", max_train_steps=1)  # what they draw with and measure
        for document in DOCUMENTS:
            for number, body in fenced(document.read_text(), ("", "sh", "bash")):
                for command in joined(body):
                    with self.subTest(f"{document.name}:{number}: {command[:60]}"):
                        self.check(command)

    def test_commands_in_the_comments_of_configurations(self):
        seen = 0
        for path in WITH_COMMENTS:
            self.name_model(next((model for name, model in TINY.items() if name in path.name), TOY))
            for command in commands_in_comments(path.read_text()):
                with self.subTest(f"{path.name}: {command[:60]}"):
                    seen += 1
                    words = words_of(command)
                    self.assertIn(str(path.relative_to(ROOT)), " ".join(words), "an example is about its own file")
                    family = [] if path.parent.name in ("prompts", "sweeps") else TINY
                    if any(name in path.name for name in family):
                        self.leco(["plan", *words[2:]])
                    else:
                        self.check_leco(words[1:])
        self.assertGreater(seen, 8)

    def test_every_configuration_and_prompt_file_can_be_planned(self):
        for path in WITH_COMMENTS:
            with self.subTest(path.name):
                if path.parent.name == "sweeps":
                    self.leco(["sweep", str(path), "--dry_run"])
                    continue
                ask = "--prompts_file" if path.parent.name == "prompts" else "--config_file"
                self.leco(["plan", f"{ask}={path}"])

    def test_prompt_files_in_the_documents(self):
        seen = 0
        for document in DOCUMENTS:
            for ending in ("toml", "yaml") if document.name != "sweeps.md" else ():
                for number, body in fenced(document.read_text(), (ending,)):
                    with self.subTest(f"{document.name}:{number}"):
                        seen += 1
                        self.leco(["plan", f"--prompts_file={self.write(f'block.{ending}', body)}"])
        self.assertGreater(seen, 6)

    def test_the_sweep_in_the_documents(self):
        """The first block is the file, the others are parts that may be added to it."""
        text = ""
        for number, body in fenced((ROOT / "docs/sweeps.md").read_text(), ("yaml",)):
            with self.subTest(number):
                text += body
                self.leco(["sweep", str(self.write("block.yaml", text)), "--dry_run"])
        self.assertGreater(text.count("\n"), 15)

    def test_table_of_the_same_command_in_the_readme(self):
        """sd-scripts' command and ours differ in the program's name."""
        rows = re.findall(r"^\| `(.*?)(?: \\)?` \| `(.*?)(?: \\)?` \|$", (ROOT / "README.md").read_text(), re.M)
        theirs, ours = (" ".join(side) for side in zip(*rows))
        self.assertEqual(theirs.replace("python train_leco.py", "leco train"), ours)
        self.check(ours)

    def test_python_of_the_guide_draws_with_the_trained_file(self):
        self.train("output", output_name="hair", max_train_steps=1)
        blocks = [body for _, body in fenced((ROOT / "docs/guide.md").read_text(), ("python",))]
        self.assertEqual(len(blocks), 1)
        subprocess.run([sys.executable, "-c", blocks[0]], cwd=self.folder, env=environment(), check=True, timeout=300,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertTrue((self.folder / "short_hair.png").is_file())

    def test_commands_inside_of_sentences_name_what_there_is(self):
        """Code spans such as `leco plan --ranks 8`: the command and its flags, without running it."""
        help_of = {}
        for document in DOCUMENTS:
            text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
            for span in re.findall(r"`leco ([a-z]\w+)([^`]*)`", text):
                command, rest = span
                with self.subTest(f"{document.name}: leco {command}{rest}"):
                    if command not in help_of:
                        help_of[command] = self.leco(["help", command]).out
                    for flag in re.findall(r"--(\w+)", rest):
                        self.assertTrue(flag == "help" or f"--{flag}" in help_of[command], flag)


if __name__ == "__main__":
    main()
