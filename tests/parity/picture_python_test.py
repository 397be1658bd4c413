"""Pictures that we write, read by Pillow.

Usage: picture_python_test.py PATH_OF_PICTURE_TOOL
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

TOOL = sys.argv[1]


def shaded(width, height, phase=0):
    """As tests/support/test_pictures.h."""
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * x // width, 255 * y // height, (16 * phase + x + y) % 256], -1).astype(np.uint8)


def tool(*words):
    subprocess.run([TOOL, *map(str, words)], check=True)


def test_png_pixels_and_texts(folder):
    texts = {"prompt": "a cat, \"quoted\"\nand a line", "parameters": "Steps: 30", "note": "Kätzin 女性 👩"}
    tool("png", folder / "a.png", 37, 5, *(word for entry in texts.items() for word in entry))
    with Image.open(folder / "a.png") as image:
        image.load()
        assert image.mode == "RGB" and image.text == texts, image.text
        assert np.array_equal(np.asarray(image), shaded(37, 5))


def test_jpeg_is_what_pillow_writes(folder):
    """Both use libjpeg; versions may round differently."""
    for quality in (30, 85):
        tool("jpeg", folder / "a.jpg", 61, 35, quality)
        Image.fromarray(shaded(61, 35)).save(folder / "b.jpg", quality=quality, optimize=True, subsampling="4:2:0")
        with Image.open(folder / "a.jpg") as ours, Image.open(folder / "b.jpg") as theirs:
            difference = np.asarray(ours).astype(int) - np.asarray(theirs)
        assert ours.size == (61, 35) and abs(difference).max() <= 2, abs(difference).max()
        assert abs((folder / "a.jpg").stat().st_size - (folder / "b.jpg").stat().st_size) < 64


def test_gif_frames(folder):
    tool("gif", folder / "a.gif", 100, 60, 3)
    with Image.open(folder / "a.gif") as image:
        assert image.n_frames == 3 and image.info["loop"] == 0
        for frame in range(3):
            image.seek(frame)
            assert image.info["duration"] == (1500 if frame == 2 else 500)
            read = np.asarray(image.convert("RGB")).astype(float)
            assert np.abs(read - shaded(100, 60, frame)).mean() < 12, frame


def test_grid_holds_the_pictures(folder):
    tool("grid", folder / "g.png", 64, "title", "note", 1, "a row", "−1", "+1")
    with Image.open(folder / "g.png") as image:
        sheet = np.asarray(image)
    for picture in (shaded(64, 64, 12), shaded(64, 64, 13)):
        large = picture.repeat(3, 0).repeat(3, 1)
        windows = np.argwhere((sheet[: -191, : -191] == large[0, 0]).all(-1))
        assert any(np.array_equal(sheet[y : y + 192, x : x + 192], large) for y, x in windows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for test in (test_png_pixels_and_texts, test_jpeg_is_what_pillow_writes, test_gif_frames, test_grid_holds_the_pictures):
            test(pathlib.Path(name))
            print("ok", test.__name__)
