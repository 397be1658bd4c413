"""The command line itself: help, subcommands, bash completion, files of flags, where log lines go.

usage: command_line_test.py MPIEXEC LECO
"""
import os
import pty
import re
import select
import signal
import subprocess
import time

from leco_runs import LECO, LECO_LINE, LIMIT, LecoTest, Run, environment, main

COMPLETE = """
source {script}
COMP_WORDS=({words}) COMP_CWORD={last}
compopt() {{ :; }}
_leco
printf '%s\\n' "${{COMPREPLY[@]}}"
"""



def typed(folder, keys):
    """The last lines of an interactive bash after the keys."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(environment(), LECO=LECO, PS1="> ", INPUTRC="/dev/null", TERM="dumb")
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    os.write(terminal, b'source <("$LECO" completion bash); echo rea""dy\n')
    text, end, sent = "", time.monotonic() + LIMIT, False
    while time.monotonic() < end and not re.search(r"^leco .*done\.\r?$", text, re.M):
        if select.select([terminal], [], [], 0.2)[0]:
            text += os.read(terminal, 65536).decode(errors="replace")
        if not sent and re.search(r"^ready\s+(\x1b\S*)?> ", text, re.M):
            os.write(terminal, keys)
            sent = True
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    return text


class CommandLineTest(LecoTest):
    def test_help_of_every_command_in_80_columns(self):
        whole = self.ok("--help").out
        self.assertEqual(whole, self.ok("help").out)
        commands = re.findall(r"^  (\w+) [\[\w]", whole, re.M)
        commands = [name for name in commands if name != "leco" and name != "mpirun"]
        for name in ("train", "plan", "inspect", "completion", "help"):
            self.assertIn(name, commands)
        for name in commands:
            if name == "help":
                continue
            text = self.ok(name, "--help").out
            self.assertEqual(text, self.ok("help", name).out)
            for line in (whole + text).splitlines():
                self.assertLessEqual(len(line), 80, f"{name}: {line}")

    def test_mistyped_commands(self):
        for words, texts in ((["trian"], ["unknown subcommand 'trian'", "did you mean 'train'"]),
                             (["help", "pln"], ["unknown subcommand 'pln'", "did you mean 'plan'"]),
                             (["--seed=1", "train"], ["--seed=1 stands before the subcommand", "leco train --seed=1"]),
                             (["completion", "zsh"], ["bash"]), (["help", "train", "plan"], ["one command"])):
            self.check_refused(Run(words), *texts)

    def completed(self, *words):
        """What bash offers for the last word, as COMP_WORDBREAKS splits the line: '=' is a word of its own."""
        quoted = " ".join(f"'{word}'" for word in words)
        text = COMPLETE.format(script=self.script, words=quoted, last=len(words) - 1)
        done = subprocess.run(["bash", "--norc", "-c", text], cwd=self.folder, capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [line for line in done.stdout.splitlines() if line]

    def test_bash_completes_commands_flags_values_and_files(self):
        self.script = self.write("completion.bash", self.ok("completion", "bash").out).name
        (self.folder / "prompts one.toml").touch()
        (self.folder / "models").mkdir()
        self.assertEqual(self.completed("leco", "tr"), ["train"])
        self.assertEqual(self.completed("leco", "help", "pl"), ["plan"])
        self.assertEqual(self.completed("leco", "completion", ""), ["bash"])
        self.assertEqual(self.completed("leco", "train", "--max_den"), ["--max_denoising_steps="])
        self.assertEqual(self.completed("leco", "train", "--no_met"), ["--no_metadata "])
        self.assertEqual(self.completed("leco", "plan", "--js"), ["--json "])
        self.assertEqual(self.completed("leco", "train", "--js"), [])
        self.assertEqual(self.completed("leco", "train", "--wandb"), [], "what is refused is not offered")
        values = ["shared", "independent", "antithetic"]
        for words in (["--rollout_length", "=", ""], ["--rollout_length", "="], ["--rollout_length", ""]):
            self.assertEqual(self.completed("leco", "train", *words), values)
        self.assertEqual(self.completed("leco", "train", "--rollout_length", "=", "a"), ["antithetic"])
        self.assertEqual(self.completed("leco", "train", "--rollout_length=a"), ["--rollout_length=antithetic"])
        self.assertEqual(self.completed("leco", "train", "--prompts_file", "=", "pro"), ["prompts one.toml"])
        self.assertEqual(self.completed("leco", "train", "--output_dir", "m"), ["models"])
        self.assertEqual(self.completed("leco", "inspect", "m"), ["models"])
        self.assertEqual(self.completed("leco", "train", "--seed", "=", ""), [])

    def test_bash_completes_what_is_typed(self):
        text = typed(self.folder, b"leco tra\t--rollout_len\tanti\t--no_metad\t\x01echo \"\x05\" done.\n")
        self.assertIn("leco train --rollout_length=antithetic --no_metadata  done.", text)

    def test_files_of_flags_are_written_and_read(self):
        flags = self.arguments("out", seed=7, learning_rate="1e-3", max_train_steps=1)
        target = self.folder / "run.toml"
        run = self.ok(*flags, f"--config_file={target}", "--output_config")
        self.assertEqual(run.out, f"{target}\n")
        self.assertFalse((self.folder / "out").exists(), "nothing is trained")
        self.check_refused(Run([*flags, f"--config_file={target}", "--output_config"]), "exists already")
        self.assertEqual(self.json_of("plan", *flags[1:]), self.json_of("plan", f"--config_file={target}"))
        self.ok(*flags, f"--config_file={self.folder / 'ranks'}", "--output_config", ranks=2)
        self.assertEqual((self.folder / "ranks.toml").read_text(), target.read_text())

    def shell(self, script, *arguments):
        """Of bash, which has LECO and the arguments as "$LECO" and "$@"."""
        return subprocess.run(["bash", "-c", script, "bash", *map(str, arguments)], env={**environment(), "LECO": LECO},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)

    def test_results_that_cannot_be_written_are_an_error(self):
        plan = ("plan", f"--prompts_file={self.prompts}")
        for words in (["--version"], plan, [*plan, "--json"]):
            run = self.shell('"$LECO" "$@" > /dev/full', *words)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("error: the results could not be written to stdout; is its disk full?", run.stderr)
        many = self.write("many.toml", "[[prompts]]\ntarget = 'a'\n" * 2000)  # more than a pipe holds
        run = self.shell('"$LECO" "$@" | head -n 1; exit ${PIPESTATUS[0]}', "plan", "--json", f"--prompts_file={many}")
        self.assertEqual((run.returncode, run.stderr), (0, ""), "a reader that goes had enough")

    def test_closed_and_broken_streams_harm_no_training(self):
        flags = self.arguments("out", max_train_steps=2)
        run = self.shell('"$LECO" "$@" 2>&1 | head -n 1; exit ${PIPESTATUS[0]}', *flags)
        self.assertEqual(run.returncode, 0, "the log's reader went away")
        expected = self.files("out"), self.metrics("out")
        run = self.shell('"$LECO" "$@" <&- >&- 2>&-', *self.arguments("closed", max_train_steps=2))
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
        self.assertTrue((self.files("closed"), self.metrics("closed")) == expected)
        script = 'exec <&- >&- 2>&-; "$LECO" "$@" & wait $!; exit $?'
        self.assertEqual(self.shell(script, "train", "--prompts_file=/no/such.toml").returncode, 2)

    def test_a_line_stays_readable_however_long_the_mistake_is(self):
        run = Run(["train", "--" + "ä" * 50_000])
        self.assertEqual((run.status, len(run.errors())), (2, 1), run.err[:5000])
        self.assertLess(len(run.err.encode()), 4200)
        self.assertRegex(run.err, r"error: unknown flag --ä+ … ä+; did you mean --\w+\? \(--help lists all flags\)\n$")

    def test_log_lines_go_where_they_are_asked_to(self):
        log = self.folder / "log.txt"
        log.write_text("old\n")
        flags = self.arguments("out", max_train_steps=1, gradient_accumulation_steps=2, pairs_per_step=1)
        to_file = self.ok(*flags, f"--console_log_file={log}", "--console_log_simple")
        self.assertEqual(to_file.err, "")
        text = log.read_text()
        self.assertTrue(text.startswith("--gradient_accumulation_steps=2 has no effect"), text)
        self.assertIn("\neffective settings", text)
        warnings = self.ok(*flags, "--console_log_level=WARNING")
        self.assertEqual([line for line in warnings.err.splitlines() if LECO_LINE.match(line) and " info: " in line], [])
        self.assertIn(" warning: --gradient_accumulation_steps=2", warnings.err)
        self.assertEqual(self.ok(*flags, "--console_log_level", "CRITICAL").err, "")
        wrong = Run([*self.arguments("out", pretrained_model_name_or_path="/no/such"), f"--console_log_file={log}"])
        self.assertEqual(wrong.status, 2)
        self.assertIn("no such model", wrong.err, "errors stand on stderr too")
        self.assertIn("no such model", log.read_text())
        self.check_refused(Run([*flags, "--console_log_file=/proc/leco.log"]),
                           "--console_log_file=/proc/leco.log: the file cannot be written")
        ranks = self.ok(*flags, f"--console_log_file={log}", ranks=2)
        self.assertRegex(log.read_text(), r"^\d\d:\d\d:\d\d \[rank 0\] ")
        self.assertNotIn(" info: ", ranks.err)


if __name__ == "__main__":
    main()
