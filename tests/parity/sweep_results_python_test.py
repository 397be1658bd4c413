"""A sweep's results, read by Python's csv and json, by html5lib, and by a real browser whose keys are pressed.

Usage: sweep_results_python_test.py PATH_OF_SWEEP_RESULTS_TOOL
"""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import html5lib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from browser import MISSING, PROGRAM, Browser  # noqa: E402

TOOL = sys.argv[1]
NAMES = "[...document.querySelectorAll('#runs tbody tr:not([hidden]) th')].map(cell => cell.textContent)"
SHOWN = "[...document.querySelectorAll('#pictures figure:not([hidden]) figcaption a')].map(a => a.textContent)"
COLUMN = """(title => { const at = [...document.querySelectorAll('#runs thead th')].findIndex(
  header => header.textContent === title); return [...document.querySelectorAll('#runs tbody tr')].map(
  row => row.cells[at].textContent); })"""

# [[contrast, text] …] of all that is written, the same of the curves, and the page's own luminance. A ground that shines
# through is laid over what lies behind.
CONTRASTS = """(() => {
  const parts = colour => { const found = colour.match(/[\\d.]+/g).map(Number); return found.length < 4 ? [...found, 1] : found; };
  const over = (front, back) => [0, 1, 2].map(i => front[3] * front[i] + (1 - front[3]) * back[i]);
  const luminance = rgb => rgb.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => element ? over(parts(getComputedStyle(element).backgroundColor), ground(element.parentElement))
    : [255, 255, 255];
  const contrast = (element, colour) => { const back = ground(element), values = [luminance(over(parts(colour), back)),
    luminance(back)]; return (Math.max(...values) + 0.05) / (Math.min(...values) + 0.05); };
  const texts = [], curves = [];
  for (const element of document.querySelectorAll("body *")) {
    const style = getComputedStyle(element);
    if (element.matches("svg .line")) curves.push([contrast(element, style.stroke), element.outerHTML.slice(0, 60)]);
    const own = [...element.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join("");
    if (!own || element.matches("script, style, title") || style.display === "none") continue;
    texts.push([contrast(element, element.matches("svg *") ? style.fill : style.color), own.slice(0, 40)]);
  }
  return [texts, curves, luminance(ground(document.body))];
})()"""


class SweepResultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.base = pathlib.Path(folder.name)
        for count in (0, 3, 20, 500):
            (cls.base / str(count)).mkdir()
            subprocess.run([TOOL, cls.base / str(count), str(count)], check=True, stdout=subprocess.DEVNULL)

    def page(self, count):
        return self.base / str(count) / "report.html"

    def browser(self):
        if not PROGRAM:
            self.skipTest(MISSING)
        browser = Browser(self.base)
        self.addCleanup(browser.close)
        return browser

    def test_the_table_and_the_json_say_the_same(self):
        with (self.base / "20" / "results.csv").open(newline="") as file:
            table = list(csv.DictReader(file, strict=True))
        runs = json.loads((self.base / "20" / "results.json").read_text())["runs"]
        self.assertEqual(len(table), 20)
        for line, run in zip(table, runs, strict=True):
            self.assertEqual((line["name"], line["status"]), (run["name"], run["status"]))
            self.assertEqual(line["learning_rate"], run["settings"]["learning_rate"])
            for name, value in (("seconds", run["seconds"]), ("final_loss", run["final_loss"]),
                                ("response", run["measures"].get("response"))):
                self.assertEqual(line[name], "" if value is None else line[name])
                self.assertEqual(float(line[name]) if line[name] else None, value)

    def test_the_page_is_valid_html_that_links_below_itself(self):
        for count in (0, 20):
            text = self.page(count).read_text()
            tree = html5lib.HTMLParser(strict=True).parse(text)
            links = [element.get(name) for element in tree.iter() for name in ("href", "src") if element.get(name)]
            for link in links:
                self.assertRegex(link, r"^(\./|#|data:)")
                if link.startswith("#"):
                    self.assertEqual(text.count(f' id="{link[1:]}"'), 1, link)
            self.assertEqual(text.count("<script>"), 1)
            if count:
                picture = next(link for link in links if link.startswith("./") and link.endswith("report.html"))
                self.assertEqual(urllib.parse.unquote(picture), "./run 0 #?%/evaluation/report.html")

    def test_columns_sort_by_keys_and_pictures_follow(self):
        browser = self.browser()
        browser.open(self.page(20), 1280)
        browser.press("Tab")
        for _ in range(60):
            if browser.value("document.activeElement.textContent") == "final loss":
                break
            browser.press("Tab")
        self.assertEqual(browser.value("document.activeElement.tagName"), "BUTTON")
        for direction, sign in (("ascending", 1), ("descending", -1)):
            browser.press("Enter")
            self.assertEqual(browser.value("document.activeElement.parentNode.getAttribute('aria-sort')"), direction)
            losses = browser.value(f"{COLUMN}('final loss')")
            numbers = [sign * float(loss) for loss in losses if loss != "–"]
            self.assertEqual(losses[-2:], ["–", "–"], "what has no value comes last")
            self.assertEqual(len(numbers), 18)
            self.assertEqual(numbers, sorted(numbers))
            self.assertEqual(browser.value(SHOWN), browser.value(NAMES)[:18])
            self.assertEqual(browser.value("document.querySelector('#pictures figcaption span').textContent"),
                             f"final loss {losses[0]}")
        self.assertEqual(browser.value("document.querySelectorAll('[aria-sort]').length"), 1)
        browser.value("document.querySelectorAll('#runs thead button')[3].click()")
        rates = browser.value(f"{COLUMN}('learning_rate')")
        self.assertEqual(list(dict.fromkeys(rates)), ["1e-4", "1e-3", "1e-2", "1e-1", "1e-0"], "numbers, not words")
        browser.value("document.querySelector('input').focus()")
        browser.write("LEARNING_RATE=1E-3")
        self.assertEqual(len(browser.value(NAMES)), 4)
        self.assertEqual(browser.value("document.querySelector('output').value"), "4 of 20")
        self.assertEqual(sorted(browser.value(SHOWN)), sorted(n for n in browser.value(NAMES) if n in browser.value(SHOWN)))
        self.assertEqual(browser.complaints, [])

    def test_text_and_curves_stand_out_in_light_and_in_dark(self):
        browser = self.browser()
        grounds = []
        for scheme in ("light", "dark"):
            browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            for count in (3, 20):
                browser.open(self.page(count), 1280)
                texts, curves, ground = browser.value(CONTRASTS)
                self.assertGreater(len(texts), 50)
                self.assertGreater(len(curves), 0)
                self.assertEqual([], [text for text in texts if text[0] < 4.5], "WCAG 2.2, 1.4.3")
                self.assertEqual([], [curve for curve in curves if curve[0] < 3], "WCAG 2.2, 1.4.11")
                grounds.append(ground)
        self.assertGreater(min(grounds[:2]), 0.8)
        self.assertLess(max(grounds[2:]), 0.05)

    def test_it_fits_a_phone_and_a_desk_and_asks_no_network(self):
        browser = self.browser()
        for width in (390, 1280):
            for count in (0, 20):
                browser.open(self.page(count), width)
                self.assertEqual(browser.value("innerWidth"), width)
                over = browser.value("(root => root.scrollWidth - root.clientWidth)(document.documentElement)")
                self.assertEqual(over, 0, (width, count))
                browser.picture(self.base / f"{width}-{count}.png")
            self.assertEqual(browser.value("document.querySelectorAll('figure > svg .line').length"), 12)
            self.assertEqual(browser.value("[...document.images].filter(i => i.complete && !i.naturalWidth).length"), 0)
            self.assertEqual(browser.value("document.querySelectorAll('.card').length"), 3)
        self.assertEqual(browser.complaints, [])
        for address in browser.asked:
            self.assertRegex(address, r"^(data|file):")

    def test_five_hundred_runs_stay_usable(self):
        self.assertLess(self.page(500).stat().st_size, 13 << 20)
        browser = self.browser()
        browser.open(self.page(500), 1280)
        seconds = browser.value("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
        self.assertLess(seconds, 20)
        self.assertEqual(browser.value("document.images.length"), 450)
        sorting = browser.value("""(() => { const start = performance.now();
          document.querySelectorAll('#runs thead button')[5].click();
          document.body.offsetHeight; return (performance.now() - start) / 1000; })()""")
        self.assertLess(sorting, 5)
        print(f"500 runs: {self.page(500).stat().st_size / 2**20:.1f} MiB, opened in {seconds:.2f} s, sorted in {sorting:.2f} s")
        self.assertEqual(browser.complaints, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
