"""leco evaluate as a user runs it: files, ranks, annotation, refusals, and the page in a real browser.

usage: evaluate_test.py MPIEXEC LECO
"""
import hashlib
import json
import re
import shutil

import html5lib
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import browser
from leco_runs import ROOT, TOY, LecoTest, Run, main

UGLY = 'a <b>"small"</b> & \'odd\' circle'
PROMPTS = f"""
resolution = 64
[[targets]]
target_class = "circle"
positive = "big circle"
negative = '''{UGLY}'''
"""
SDXL = ROOT / "tests" / "data" / "tiny-sdxl"
SHOWN = """(() => { const root = document.documentElement, charts = [...document.querySelectorAll("figure > svg")];
  return { width: innerWidth, over: root.scrollWidth - root.clientWidth, images: document.images.length,
    broken: [...document.images].filter(image => !image.naturalWidth).length,
    curves: [...document.querySelectorAll("figure > svg .line")].filter(
      curve => curve.getBoundingClientRect().width > 100).length,
    smallest: Math.min(...charts.map(chart => 13 * chart.getBoundingClientRect().width / chart.viewBox.baseVal.width)) };
})()"""


class EvaluateTest(LecoTest):
    @classmethod
    def setUpClass(cls):
        cls.lora = cls.train_once(max_train_steps=4, learning_rate=1e-2)

    def setUp(self):
        super().setUp()
        self.prompts = self.write("odd.toml", PROMPTS)

    def evaluate(self, *more, ranks=None, **flags):
        given = {"pretrained_model_name_or_path": TOY, "network_weights": self.lora, "prompts_file": self.prompts,
                 "scales": "-1,0,1", "samples": 5, "sample_steps": 2, "threads": 1, "output": self.folder / "out", **flags}
        return Run(["evaluate", *(f"--{name}={value}" for name, value in given.items() if value is not None), *more], ranks)

    def measured(self, *more, **flags):
        run = self.evaluate(*more, **flags)
        self.assertEqual(run.status, 0, run.err)
        return run

    def refused(self, told, *more, **flags):
        self.check_refused(self.evaluate(*more, **flags), told)
        self.assertFalse((self.folder / "out" / "report.json").exists())

    def test_any_number_of_ranks_gives_the_same_report(self):
        reports, pages = [], []
        for ranks in (None, 2, 3):
            run = self.measured("--preserve", "blue square", "red circle", ranks=ranks)
            out = self.folder / "out"
            self.assertEqual(run.out.splitlines(), [str(out / "report.json"), str(out / "report.html")])
            reports.append((out / "report.json").read_bytes())
            pages.append((out / "report.html").read_bytes())
        self.assertEqual(len(set(reports)), 1)
        self.assertEqual(len(set(pages)), 1)

    def test_annotating_changes_one_key_and_no_tensor(self):
        copy = self.folder / "copy.safetensors"
        shutil.copy(self.lora, copy)
        link = self.folder / "link.safetensors"
        link.symlink_to(copy)
        run = self.measured("--annotate", network_weights=link)
        self.assertEqual(run.out.splitlines()[-1], str(link))
        self.assertTrue(link.is_symlink())
        range_ = json.loads((self.folder / "out" / "report.json").read_text())["recommended_range"]
        with safe_open(self.lora, "pt") as before, safe_open(copy, "pt") as after:
            metadata = after.metadata()
            self.assertEqual(json.loads(metadata.pop("leco_recommended_range")), range_)
            self.assertEqual(metadata, before.metadata())
        old, new = self.lora.read_bytes(), copy.read_bytes()
        data = [blob[8 + int.from_bytes(blob[:8], "little"):] for blob in (old, new)]
        self.assertEqual(*data)
        self.assertEqual(hashlib.sha256(data[1]).hexdigest(), metadata["sshs_model_hash"])
        self.assertTrue(self.json_of("inspect", copy)["hash"]["matches"])
        self.measured("--annotate", network_weights=copy)
        self.assertEqual(copy.read_bytes(), new, "a second time changes something")

    def test_a_lora_that_does_nothing_says_so(self):
        nothing = self.folder / "nothing.safetensors"
        save_file({name: torch.zeros_like(t) if ".lora_up." in name else t for name, t in load_file(self.lora).items()},
                  nothing, {"leco_recommended_range": "[-9, 9]"})
        run = self.measured("--annotate", network_weights=nothing)
        self.assertIn("no range can be recommended", run.err)
        report = json.loads((self.folder / "out" / "report.json").read_text())
        self.assertEqual([at["response"] for at in report["scales"]], [0, 0, 0])
        self.assertEqual([at["pixel_distance"] for at in report["scales"]], [0, 0, 0])
        self.assertEqual({report[name] for name in ("spearman", "symmetry", "linear_range", "recommended_range")}, {None})
        self.assertIn("hardly any effect", (self.folder / "out" / "report.html").read_text())
        with safe_open(nothing, "pt") as file:
            self.assertNotIn("leco_recommended_range", file.metadata() or {})

    def test_what_cannot_be_measured_is_refused_in_one_line(self):
        self.refused("holds no LoRA", network_weights=TOY / "vae/diffusion_pytorch_model.safetensors")
        self.refused("another model", pretrained_model_name_or_path=SDXL)
        self.refused("none.safetensors", network_weights=self.folder / "none.safetensors")
        for scales, told in (("-1,0,x", "number"), ("1,2", "holds 0"), ("0", "at least one other"), ("0,1,1", "once"),
                             ("0,inf", "number"), ("", "number")):
            self.refused(told, scales=scales)
        self.refused("take smaller --scales", scales="0,1e30")
        self.refused("multiple of 8", height=60)
        self.refused("multiple of 8", width=100)
        self.refused("sample_steps", sample_steps=0)
        self.refused("samples", samples=0)
        self.refused("once", "--preserve", "a", "a")
        for flag in ("network_weights", "prompts_file", "output", "pretrained_model_name_or_path"):
            self.refused(f"--{flag} is missing", **{flag: None})
        self.refused("config.json", clip_model=self.folder)
        blocked = self.write("file", "")
        self.refused("cannot be written", output=blocked / "out")
        self.refused("no direction", prompts_file=self.write("same.toml", '[[prompts]]\ntarget = ""'))
        torch.save(load_file(self.lora), self.folder / "x.pt")
        self.refused("no safetensors", "--annotate", network_weights=self.folder / "x.pt")
        self.refused("did you mean", "--sample=4")

    def test_help_names_every_flag(self):
        run = self.ok("evaluate", "--help")
        for flag in ("scales", "samples", "preserve", "clip_model", "annotate", "output", "network_weights", "seed"):
            self.assertIn(f"--{flag}", run.out)

    def page(self):
        self.measured("--preserve", UGLY, "blue square", scales="-2,-1,0,1,2")
        path = self.folder / "out" / "report.html"
        return path.read_text()

    def test_the_page_is_valid_html_of_one_file(self):
        text = self.page()
        parser = html5lib.HTMLParser(strict=True)
        tree = parser.parse(text)
        self.assertNotIn("<script", text)
        self.assertNotIn("http:", text.replace("http://www.w3.org", ""))
        self.assertNotIn("https:", text)
        self.assertNotIn("<b>", text)
        for attribute in re.findall(r'(?:src|href)="([^"]*)"', text):
            self.assertTrue(attribute.startswith("data:"), attribute)
        space = "{http://www.w3.org/1999/xhtml}"
        pictures = tree.findall(f".//{space}img")
        self.assertEqual(len(pictures), 15)  # a target and two preserve prompts at five scales
        self.assertEqual(len({picture.get("alt") for picture in pictures}), 15)
        self.assertTrue(any(UGLY in (cell.text or "") for cell in tree.findall(f".//{space}th")))

    def test_a_browser_shows_curves_and_pictures_and_complains_of_nothing(self):
        if not browser.PROGRAM:
            self.skipTest(browser.MISSING)
        self.page()
        chromium = browser.Browser(self.folder)
        self.addCleanup(chromium.close)
        grounds = set()
        for width in (390, 1280):
            for dark in (False, True):
                scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
                chromium.ask("Emulation.setEmulatedMedia", features=[scheme])
                chromium.open(self.folder / "out" / "report.html", width)
                found = chromium.value(SHOWN)
                self.assertEqual(chromium.complaints, [])
                self.assertEqual((found["width"], found["over"]), (width, 0), "the page is wider than its window")
                self.assertEqual((found["images"], found["broken"]), (15, 0))
                self.assertEqual(found["curves"], 7)  # response, cosine, off-axis, two drifts, two of pictures
                self.assertGreater(found["smallest"], 9.5, "letters in the curves, in pixels")
                picture = self.folder / "page.png"
                chromium.picture(picture)
                grounds.add(Image.open(picture).convert("L").getpixel((2, 2)) > 128)
        self.assertEqual(grounds, {False, True}, "light and dark look alike")


if __name__ == "__main__":
    main()
