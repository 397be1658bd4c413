"""The random contract of SPEC.md section 2 in numpy: Philox4x32-10 counters to words, uniforms, integers, normals."""
import math

import numpy as np
import torch


def philox4x32(counter, key):
    """Philox4x32 with 10 rounds: four arrays of counter words and two key words -> four arrays of random words."""
    c0, c1, c2, c3 = (np.asarray(word, np.uint64) for word in counter)
    k0, k1 = (int(word) for word in key)
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        first, second = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = ((second >> np.uint64(32)) ^ c1 ^ np.uint64(k0), second & low,
                          (first >> np.uint64(32)) ^ c3 ^ np.uint64(k1), first & low)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


class Draws:
    """The random numbers of one use (seed, purpose, step, item, sub), addressed by position."""

    def __init__(self, seed, purpose, step=0, item=0, sub=0):
        self.key = (seed & 0xFFFFFFFF, seed >> 32)
        self.tail = (item, step, purpose + 256 * sub)

    def words(self, count):
        blocks = np.arange((count + 3) // 4, dtype=np.uint64)
        tail = (np.full_like(blocks, word) for word in self.tail)
        return np.stack(philox4x32((blocks, *tail), self.key), axis=1).reshape(-1)[:count]

    def uniforms(self, count):
        return (self.words(count).astype(np.float64) + 0.5) / 2.0**32

    def integer(self, position, n):
        return (int(self.words(position + 1)[position]) * n) >> 32

    def normals(self, *shape):
        count = math.prod(shape)
        u = self.uniforms(count + count % 2)
        radius, angle = np.sqrt(-2.0 * np.log(u[0::2])), 2.0 * np.pi * u[1::2]
        z = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count]
        return torch.from_numpy(z.astype(np.float32)).reshape(shape)
