"""Opens a page in a real Chromium without a window, and tells what it shows and what the browser complains of."""
import json
import re
import shutil
import subprocess

from PIL import Image

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "Chromium is missing; bring it with: sudo apt-get install chromium"
LIMIT = 120  # seconds
HEIGHT = 4000  # pixels of the window: nothing of the page lies outside

# The page in a frame of the wanted width, since a window is not made narrower than 500 pixels. The frame tells its
# outer page what it shows.
FRAME = """<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<script>addEventListener("message", event => document.body.dataset.found = event.data);</script>
<iframe src="page.html" style="border:0; width:{width}px; height:{height}px"></iframe>"""
PROBE = """<script>addEventListener("load", () => { const root = document.documentElement;
parent.postMessage(JSON.stringify({ width: innerWidth, over: root.scrollWidth - root.clientWidth,
  images: document.images.length, broken: [...document.images].filter(image => !image.naturalWidth).length,
  curves: [...document.querySelectorAll("figure > svg .line")].filter(
    curve => curve.getBoundingClientRect().width > 100).length,
  smallest: Math.min(...[...document.querySelectorAll("figure > svg")].map(
    chart => 13 * chart.getBoundingClientRect().width / chart.viewBox.baseVal.width)) }), "*"); });</script></body>"""


def look(text, folder, width, dark=False):
    """-> (what the page shows, complaints of the console, the path of its picture). `text` is HTML without scripts."""
    (folder / "page.html").write_text(text.replace("</body>", PROBE))
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width, height=HEIGHT))
    picture = folder / f"{width}-{'dark' if dark else 'light'}.png"
    words = [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             f"--user-data-dir={folder / 'profile'}", f"--window-size={max(width, 500)},{HEIGHT}",
             "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND",
             *(["--blink-settings=preferredColorScheme=0"] if dark else [])]

    def run(*what):
        return subprocess.run([*words, *what, frame.as_uri()], capture_output=True, text=True, timeout=LIMIT)

    shown, drawn = run("--dump-dom"), run(f"--screenshot={picture}")
    complaints = re.findall(r".*CONSOLE.*", shown.stderr + drawn.stderr)
    found = re.search(r"data-found='?\"?([^>]*})", shown.stdout)
    if not found:
        raise AssertionError(f"the page said nothing\n{shown.stderr}")
    Image.open(picture).crop((0, 0, width, HEIGHT)).save(picture)
    return json.loads(found[1].replace("&quot;", '"')), complaints, picture
