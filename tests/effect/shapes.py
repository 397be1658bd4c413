"""What the toy model's pictures show: one shape of one of four colours on a plain ground. The colours and the ground are
those of the pictures that the model learned from."""
import numpy as np

COLORS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220), "yellow": (230, 200, 40)}
GROUND = 235        # grey of the empty picture
INK = 60            # of 255: what is further from the ground belongs to the shape
SMALLEST = 0.005    # share of a picture; less is no shape


def measure(picture):
    """(H, W, 3) in 0..255 -> (share of the pixels that belong to the shape, their mean colour or None)."""
    pixels = picture.astype(np.float32)
    ink = np.abs(pixels - GROUND).max(-1) > INK
    area = float(ink.mean())
    return area, pixels[ink].mean(0) if area >= SMALLEST else None


def fill(picture):
    """Share of the smallest upright frame around the shape that it fills: 1 for a square, 0.79 for a circle, 0.5 for a triangle."""
    ink = np.abs(picture.astype(np.float32) - GROUND).max(-1) > INK
    if ink.mean() < SMALLEST:
        return None
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return float(ink.sum() / ((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)))


def distance(color, name):
    """Of a colour from one of the four, in 0..255 for each of red, green and blue (Euclidean)."""
    return float(np.linalg.norm(color - np.array(COLORS[name])))


def nearest(color):
    """Name of the nearest of the four colours; "none" where there is no shape."""
    return "none" if color is None else min(COLORS, key=lambda name: distance(color, name))


def color_named(prompt):
    """The colour that a prompt names, or None."""
    return next((word for word in prompt.split() if word in COLORS), None)
