"""Checkpoints against PyTorch: what torch.save writes we read bit for bit as torch.load does; no code in one ever runs.

Usage: checkpoint_python_test.py PATH_OF_MODEL_SOURCE_TOOL
"""

import collections
import hashlib
import os
import pickle
import random
import subprocess
import sys
import tarfile
import tempfile
import types
import zipfile

import numpy
import torch

TOOL = sys.argv[1]
NAMES = {"float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
         "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool", "uint16": "UInt16",
         "uint32": "UInt32", "uint64": "UInt64", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
         "float8_e4m3fn": "Float8_e4m3fn", "float8_e5m2": "Float8_e5m2",
         "float8_e4m3fnuz": "Float8_e4m3fnuz", "float8_e5m2fnuz": "Float8_e5m2fnuz"}


def read_all(paths):
    """For each file ({name: (dtype, shape, digest)}, ignored names, the refusal)"""
    output = subprocess.run([TOOL, "checkpoint", *paths], check=True, capture_output=True, text=True).stdout
    results = []
    for kind, *fields in (line.split("\t") for line in output.split("\n")[:-1]):
        if kind == "file":
            results.append([{}, None, None])
        elif kind == "tensor":
            results[-1][0][fields[0]] = tuple(fields[1:])
        elif kind == "ignored":
            results[-1][1] = [name for name in fields if name]
        else:
            results[-1][2] = fields[0]
    assert len(results) == len(paths)
    return results


def read(path):
    return read_all([path])[0]


def description(tensor):
    raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    shape = ",".join(map(str, tensor.shape))
    return NAMES[str(tensor.dtype).removeprefix("torch.")], shape, hashlib.sha256(raw).hexdigest()


def flat(weights, prefix=""):
    for name, value in weights.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, torch.Tensor):
            yield prefix + name, value


def expect_equal(path, inner=None, trusted=False):
    loaded = torch.load(path, weights_only=not trusted, map_location="cpu")
    wanted = {name: description(value) for name, value in flat(loaded[inner] if inner else loaded)}
    tensors, ignored, refusal = read(path)
    assert refusal is None, refusal
    assert tensors == wanted, sorted(set(tensors.items()) ^ set(wanted.items()))
    assert tensors
    return ignored


def every_kind():
    generator = torch.Generator().manual_seed(4)
    base = torch.randn(6, 8, 3, generator=generator)
    weights = collections.OrderedDict()
    for name in NAMES:
        dtype = getattr(torch, name)
        numbers = torch.randint(0, 2 if dtype == torch.bool else 256, (4, 16), dtype=torch.uint8, generator=generator)
        weights[f"type.{name}"] = numbers.view(dtype)
    weights["shared.whole"] = base
    weights["shared.part"] = base[2:4]
    weights["view.transposed"] = base.permute(2, 0, 1)
    weights["view.every_other"] = base[::2, 1::3]
    weights["view.half"] = base.half().t() if base.dim() == 2 else base.half().transpose(0, 1)
    weights["view.channels_last"] = torch.randn(2, 3, 4, 5, generator=generator).to(memory_format=torch.channels_last)
    weights["parameter"] = torch.nn.Parameter(base[0].clone())
    weights["frozen"] = torch.nn.Parameter(torch.arange(5.0).bfloat16(), requires_grad=False)
    weights["scalar"] = torch.tensor(2.5, dtype=torch.float64)
    weights["empty"] = torch.zeros(0, 4)
    weights["position_ids"] = torch.arange(77).expand((1, -1))
    weights["Umläute \u65e5\u672c"] = torch.ones(1)
    marked = torch.nn.Parameter(torch.ones(3))
    marked.note = "an attribute"
    weights["marked"] = marked
    return weights


def test_every_kind(folder):
    path = os.path.join(folder, "any name.v1.pt")
    torch.save(every_kind(), path)
    assert expect_equal(path, trusted=True) == []
    for protocol in (2, 3, 4, 5):
        torch.save({"state_dict": every_kind(), "epoch": 3}, path, pickle_protocol=protocol)
        assert expect_equal(path, "state_dict", trusted=True) == ["epoch"], protocol


def test_nested(folder):
    path = os.path.join(folder, "nested.pth")
    inner = collections.OrderedDict(w=torch.ones(2), deep=collections.OrderedDict(b=torch.zeros(3)))
    torch.save({"unet": inner, "text": {"w": torch.arange(4)}, "steps": 12}, path)
    assert expect_equal(path) == ["steps"]


def test_module(folder):
    path = os.path.join(folder, "module.pt")
    model = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.BatchNorm2d(8))
    torch.save(model.state_dict(), path)  # with its _metadata
    assert expect_equal(path) == []
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 4, 8, 8)).sum().backward()
    optimizer.step()
    torch.save({"state_dict": model.state_dict(), "optimizer_states": [optimizer.state_dict()]}, path)
    assert expect_equal(path, "state_dict") == ["optimizer_states"]


def stand_in(module, name):
    """A class that pickles as module.name."""
    made = type(name, (), {"__module__": module})
    for end in range(1, module.count(".") + 2):
        part = ".".join(module.split(".")[:end])
        sys.modules.setdefault(part, types.ModuleType(part))
    setattr(sys.modules[module], name, made)
    return made


def test_lightning(folder):
    """Beside the weights lies what PyTorch Lightning keeps, as in sd-v1-4.ckpt."""
    callback = stand_in("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    config = stand_in("omegaconf.listconfig", "ListConfig")()
    config._content = {"lr": 1e-4, "more": [callback()]}
    path = os.path.join(folder, "sd-v1-4.ckpt")
    torch.save({"epoch": 26, "global_step": 470000, "pytorch-lightning_version": "1.4.2", "state_dict": every_kind(),
                "callbacks": {callback: {"best_model_score": numpy.float32(0.25), "best": torch.tensor(0.5)}},
                "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-4}]}],
                "hyper_parameters": config, "seen": {1, 2}, "large": 1 << 200}, path)
    ignored = expect_equal(path, "state_dict", trusted=True)
    assert ignored == ["callbacks", "epoch", "global_step", "hyper_parameters", "large", "optimizer_states",
                       "pytorch-lightning_version", "seen"], ignored


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def expect_refused(path, part):
    _, _, refusal = read(path)
    assert refusal and part in refusal, (path, refusal, part)
    return refusal


def test_code_never_runs(folder):
    path, mark = os.path.join(folder, "attack.ckpt"), os.path.join(folder, "it-ran")
    for function, arguments, name in ((os.system, [f"touch {mark}"], "'posix.system'"),
                                      (eval, [f"open({mark!r}, 'w')"], ".eval'"),
                                      (exec, [f"open({mark!r}, 'w')"], ".exec'"),
                                      (getattr, ["x", "upper"], ".getattr'"),
                                      (subprocess.Popen, [["touch", mark]], ".Popen'"),
                                      (torch.load, [mark], "'torch.serialization.load'")):
        for protocol in (2, 4):
            attack = Attack(function, *arguments)
            for value in (attack, {"state_dict": {"w": torch.ones(2)}, "epoch": attack},
                          {"state_dict": {"w": attack}}, [attack]):
                torch.save(value, path, pickle_protocol=protocol)
                expect_refused(path, name)
    torch.save(torch.nn.Linear(2, 2), path)
    expect_refused(path, "'torch.nn.modules.linear.Linear'")
    assert not os.path.exists(mark)


def test_other_forms(folder):
    path, other = os.path.join(folder, "form.pt"), os.path.join(folder, "other.pt")
    weights = {"w": torch.ones(2, 3)}
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    expect_refused(path, "torch wrote before 1.6")
    with open(path, "wb") as file:
        pickle.dump({"w": 1}, file)
    expect_refused(path, "torch wrote before 1.6")
    with tarfile.open(path, "w") as archive:
        archive.add(TOOL, "storages", filter=lambda info: info)
    expect_refused(path, "torch wrote before 1.6")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    expect_refused(path, "TorchScript program")
    torch.save({"w": torch.ones(2, dtype=torch.complex64).conj()}, path)
    expect_refused(path, "marked view")
    torch.save({"w": torch.ones(2).expand(1000, 2)}, path)
    expect_refused(path, "expanded tensor")
    torch.save({"w": torch.eye(3).to_sparse()}, path)
    expect_refused(path, "'torch._utils._rebuild_sparse_tensor'")

    torch.save(weights, path)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w", method) as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
        if method == zipfile.ZIP_DEFLATED:
            expect_refused(other, "is compressed (method 8)")
        else:
            expect_equal(other)
    with open(other, "wb") as file, open(path, "rb") as source:
        file.write(source.read()[:-1])
    expect_refused(other, "end is missing")
    with open(other, "wb") as file:
        file.write(b"")
    expect_refused(other, other)


def damaged(whole, draw):
    data = bytearray(whole)
    for _ in range(draw.randint(1, 3)):
        place, kind = draw.randrange(len(data)), draw.randrange(4)
        if kind == 0:
            data[place] = draw.randrange(256)
        elif kind == 1:
            data[place] ^= 1 << draw.randrange(8)
        elif kind == 2:
            del data[place:place + draw.randint(1, 6)]
        else:
            data[place:place] = data[draw.randrange(len(data)):][:draw.randint(1, 30)]
    return bytes(data)


def test_damaged_files(folder):
    """What both readers accept is the same to both."""
    draw, base = random.Random(6), torch.arange(24.0)
    weights = {"a": base.view(4, 6), "b": base.view(4, 6).t(), "c": torch.nn.Parameter(base[3:9].half())}
    whole = os.path.join(folder, "whole.ckpt")
    torch.save({"state_dict": collections.OrderedDict(weights), "epoch": 1}, whole)
    with zipfile.ZipFile(whole) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with open(whole, "rb") as file:
        contents = file.read()
    both = ours_only = theirs_only = 0
    for number in range(600):
        path = os.path.join(folder, f"{number}.ckpt")
        if number % 3 == 0:
            with open(path, "wb") as file:
                file.write(damaged(contents, draw))
        else:
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in entries.items():
                    archive.writestr(name, damaged(data, draw) if name.endswith("data.pkl") else data)
    paths = [os.path.join(folder, f"{number}.ckpt") for number in range(600)]
    for path, (tensors, _, refusal) in zip(paths, read_all(paths), strict=True):
        try:
            loaded = torch.load(path, weights_only=True)
            loaded = loaded.get("state_dict", loaded)
            wanted = {name: description(value) for name, value in flat(loaded)}
        except Exception:  # of many kinds
            ours_only += refusal is None
            continue
        theirs_only += refusal is not None
        if refusal is None:
            both += 1
            assert tensors == wanted, (path, sorted(set(tensors.items()) ^ set(wanted.items())))
    assert both > 10, both
    print(f"600 damaged files: {both} accepted by both, {ours_only} by us only, {theirs_only} by PyTorch only")


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            with tempfile.TemporaryDirectory() as folder:
                test(folder)
            print(name, "ok")


if __name__ == "__main__":
    main()
