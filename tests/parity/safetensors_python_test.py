"""Files against Python's safetensors: what it writes we copy byte for byte, what it refuses we refuse.

Usage: safetensors_python_test.py PATH_OF_SAFETENSORS_TOOL
"""

import hashlib
import os
import random
import subprocess
import sys
import tempfile

import safetensors
import torch
from safetensors.torch import _TYPES, load_file, save, save_file

TOOL = sys.argv[1]

# Where we are stricter on purpose (src/io/safetensors.h), or torch lacks the type.
STRICTER = (
    "comes twice",
    "unknown key",
    "does not begin with '{'",
    "is not supported",
    "a list where its description is expected",
    "shape is too large",
    "an object where the value of 'dtype'",
)


def tool(*arguments):
    return subprocess.run([TOOL, *arguments], check=True, capture_output=True, text=True).stdout.splitlines()


def raw(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def every_type():
    """One tensor of each type that Python knows, with arbitrary bytes; an empty one, a scalar, an odd name."""
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for name, dtype in _TYPES.items():
        numbers = torch.randint(0, 256, (3, 64), dtype=torch.uint8, generator=generator)
        if dtype == torch.bool:
            numbers = numbers % 2
        tensors[f"layer.{name}"] = numbers.view(dtype)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4, 0)
    tensors['ein "Name"\n\\ mit Umläuten \u65e5\u672c \x7f\x01/'] = torch.arange(5.0)
    return tensors


def test_copy_is_equal(folder):
    source, copy = os.path.join(folder, "python.safetensors"), os.path.join(folder, "copy.safetensors")
    tensors = every_type()
    save_file(tensors, source, metadata={"format": 'pt "\u00e9\t\u2028'})
    lines = [line.split("\t") for line in tool("copy", source, copy) if line.startswith("layer.")]
    said = {name: (dtype, shape, digest) for name, dtype, shape, digest in lines}
    cpp_names = {"U8": "Byte", "I8": "Char", "I16": "Short", "I32": "Int", "I64": "Long", "F16": "Half",
                 "F32": "Float", "F64": "Double", "BF16": "BFloat16", "BOOL": "Bool", "C64": "ComplexFloat",
                 "U16": "UInt16", "U32": "UInt32", "U64": "UInt64",
                 "F8_E4M3": "Float8_e4m3fn", "F8_E5M2": "Float8_e5m2",
                 "F8_E4M3FNUZ": "Float8_e4m3fnuz", "F8_E5M2FNUZ": "Float8_e5m2fnuz"}
    for name in _TYPES:
        tensor = tensors[f"layer.{name}"]
        digest = hashlib.sha256(raw(tensor)).hexdigest()
        assert said[f"layer.{name}"] == (cpp_names[name], ",".join(map(str, tensor.shape)), digest), name
    read = load_file(copy)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype and read[name].shape == tensor.shape, name
        assert raw(read[name]) == raw(tensor), name
    with open(source, "rb") as a, open(copy, "rb") as b:
        assert a.read() == b.read(), "the copy differs from the reference implementation's bytes"


def damaged(whole, draw):
    data = bytearray(whole)
    alphabet = b'0123456789{}[]",:-.eFUI\\\xff\x00'
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(0, len(data))
        kind = draw.randrange(4)
        if kind == 0:
            data[place] = draw.choice(alphabet)
        elif kind == 1:
            data[place] ^= 1 << draw.randrange(8)
        elif kind == 2:
            del data[place : place + draw.randint(1, 3)]
        else:
            data.insert(place, draw.choice(alphabet))
    return bytes(data)


def reference_accepts(data):
    try:
        safetensors.deserialize(data)
        return True
    except safetensors.SafetensorError:
        return False


def test_verdicts_agree(folder):
    tensors = {"a": torch.ones(2, 3), "b": torch.ones(4, dtype=torch.uint8), "c": torch.zeros(0, 2)}
    whole = save(tensors, {"k": "v"})
    draw = random.Random(11)
    cases = [damaged(whole, draw) for _ in range(3000)]
    paths = []
    for i, data in enumerate(cases):
        paths.append(os.path.join(folder, str(i)))
        with open(paths[-1], "wb") as out:
            out.write(data)
    verdicts = tool("check", *paths)
    assert len(verdicts) == len(cases)
    both = stricter = 0
    for data, verdict in zip(cases, verdicts):
        accepts = reference_accepts(data)
        both += accepts and verdict == "ok"
        if accepts != (verdict == "ok"):
            assert accepts and any(reason in verdict for reason in STRICTER), (data, verdict)
            stricter += 1
    print(f"{len(cases)} damaged files: {both} accepted by both, {stricter} by Python only")
    assert both > 50


with tempfile.TemporaryDirectory() as folder:
    test_copy_is_equal(folder)
    test_verdicts_agree(folder)
print("safetensors: equal to Python's")
