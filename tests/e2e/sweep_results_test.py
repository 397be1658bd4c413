"""What comes of a sweep: its results' files, the evaluation of its runs, and the examples in configs/sweeps.

usage: sweep_results_test.py MPIEXEC LECO
"""
import csv
import json
import re
import urllib.parse

from leco_runs import ROOT, TOY, LecoTest, Run, main

EXAMPLES = ROOT / "configs" / "sweeps"
SDXL = ROOT / "tests" / "data" / "tiny-sdxl"


class SweepResultsTest(LecoTest):
    def example(self, name, **changes):
        """The file with other values at some keys, on the models that lie here."""
        text = (EXAMPLES / name).read_text().replace(" configs/", f" {ROOT}/configs/")
        model = SDXL if "models/sdxl" in text else TOY
        for key, value in {"pretrained_model_name_or_path": model, "output_dir": self.folder / "out", **changes}.items():
            text, count = re.subn(rf"^( *{key}): .*$", rf"\1: {value}", text, flags=re.MULTILINE)
            self.assertEqual(count, 1, key)
        return self.write("sweep.yaml", text)

    def test_every_example_is_one_that_could_start(self):
        runs = {"toy_sliders.yaml": 24, "erase_100_sd15.yaml": 100, "sdxl_ranks.yaml": 28}
        self.assertEqual({path.name for path in EXAMPLES.iterdir()}, set(runs))
        for name, count in runs.items():
            run = Run(["sweep", self.example(name), "--dry_run"])
            self.assertEqual(run.status, 0, run.err)
            self.assertIn(f"{count} runs", run.out)
            self.assertFalse((self.folder / "out").exists())

    def test_the_toy_sliders_in_small(self):
        spec = self.example("toy_sliders.yaml", max_train_steps=2, max_denoising_steps=3, scales=[-1, 0, 1],
                            samples="2\n  sample_steps: 2")
        run = Run(["sweep", spec], ranks=2)
        self.assertEqual(run.status, 0, run.err)
        out = self.folder / "out"
        self.assertEqual([str(out / name) for name in ("results.csv", "results.json", "report.html")],
                         run.out.splitlines()[-3:])
        with (out / "results.csv").open(newline="") as file:
            table = list(csv.DictReader(file, strict=True))
        self.assertEqual(len(table), 24)
        self.assertEqual({line["status"] for line in table}, {"done"})
        self.assertEqual({float(line["learning_rate"]) for line in table}, {1e-3, 2e-3})
        results = json.loads((out / "results.json").read_text())
        self.assertEqual([run["name"] for run in results["runs"]], [line["name"] for line in table])
        page = (out / "report.html").read_text()
        self.assertEqual(page.count("data:image/jpeg"), 24)
        links = set(re.findall(r'(?:href|src)="\./([^"]*)"', page))
        self.assertGreater(len(links), 24 * 3)
        for link in links:
            self.assertTrue((out / urllib.parse.unquote(link)).exists(), link)

        last = results["runs"][-1]
        again = self.folder / "again"
        by_hand = Run(["evaluate", f"--pretrained_model_name_or_path={TOY}", "--scales=-1,0,1", "--samples=2", "--sample_steps=2",
                       f"--network_weights={out / last['files'][0]}", f"--prompts_file={self.prompt_file(out, last)}",
                       "--preserve", "red circle", "blue square", "--threads=1", f"--output={again}"])
        self.assertEqual(by_hand.status, 0, by_hand.err)
        report = (again / "report.json").read_bytes()
        self.assertEqual((out / last["folder"] / "evaluation" / "report.json").read_bytes(), report)
        scale = json.loads(report)["scales"][-1]
        measures = {name: scale[name] for name in ("response", "cosine", "off_axis", "pixel_distance", "ssim")}
        for name, value in {**measures, "drift": max(scale["drift"].values())}.items():
            self.assertEqual(last["measures"][name], value)
            self.assertEqual(float(table[-1][name]), value)

    def prompt_file(self, out, run):
        record = json.loads((out / run["folder"] / f"{run['name']}.run.json").read_text())
        return record["settings"]["prompts_file"]


if __name__ == "__main__":
    main()
