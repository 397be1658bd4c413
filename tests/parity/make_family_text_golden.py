"""Writes tests/data/golden/family_text.safetensors and .json: what the text encoders of each family make of prompts.

Run once, by hand, from the root of the repository:
    .venv/bin/python tests/parity/make_family_text_golden.py
Pinned: torch 2.11.0, transformers 4.57.1. The models are toy-sd, tiny-sd2v and tiny-sdxl of tests/data; of every
context only the rows of ROWS that it has are kept. Long prompts follow the rules of kohya-ss/sd-scripts
(library/strategy_base.py, strategy_sd.py, strategy_sdxl.py), written anew here: see chunk_ids and join.
"""
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
ROWS = [0, 1, 2, 5, 40, 74, 75, 76, 77, 100, 150, 151, 152, 200, 225, 226]
PROMPTS = {
    "empty": "",
    "short": "a big red circle",
    "marks": "wow! a circle!",  # "!" is the padding token of SD 2.x and of SDXL's second encoder
    "seventy-five": " ".join(["circle square red"] * 25),
    "ends in marks": " ".join(["circle"] * 74) + " ! ! ! square",  # chunks that end and begin with padding
    "long": ", ".join(f"a {size} {colour} {shape}" for size in ("big", "small") for colour in ("red", "blue", "green")
                      for shape in ("circle", "square", "triangle", "star")),
    "longer than all": "small blue square and " * 70,
}
LENGTHS = [75, 150, 225]


def chunk_ids(tokenizer, prompt, length):
    """(n, 77) ids: one long row (start, tokens, end, padding), cut into parts of 75; then each part is framed."""
    row = tokenizer(prompt, padding="max_length", truncation=True, max_length=length + 2).input_ids
    if length == 75:
        return torch.tensor([row])
    start, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    assert row[0] == start
    chunks = []
    for first in range(1, length, 75):
        words, last = row[first:first + 75], row[-1]
        if pad != end:
            if words[-1] not in (end, pad):
                last = end
            if words[0] == pad:
                words[0] = end
        chunks.append([start, *words, last])
    return torch.tensor(chunks)


def join(hidden):
    """(n, 77, D) → (75 n + 2, D): the first row of all, the 75 in the middle of each chunk, the last row of all."""
    return torch.cat([hidden[0, :1], *(chunk[1:76] for chunk in hidden), hidden[-1, 76:]])


def load(model, name, kind=transformers.CLIPTextModel, tokenizer="tokenizer"):
    encoder = kind.from_pretrained(DATA / model / name, dtype=torch.float32).eval()
    return transformers.CLIPTokenizerFast.from_pretrained(DATA / model / tokenizer), encoder


def encode_one(source, prompt, length, clip_skip):
    """SD 1.x and 2.x; without clip_skip the model's own last hidden state."""
    tokenizer, encoder = source
    out = encoder(chunk_ids(tokenizer, prompt, length), output_hidden_states=True)
    if clip_skip is None:
        return join(out.last_hidden_state), None
    return join(encoder.text_model.final_layer_norm(out.hidden_states[-clip_skip])), None


def encode_two(first, second, prompt, length):
    states = []
    for tokenizer, encoder in (first, second):
        out = encoder(chunk_ids(tokenizer, prompt, length), output_hidden_states=True)
        states.append(join(out.hidden_states[-2]))
    return torch.cat(states, dim=-1), out.text_embeds[0]


def main():
    assert transformers.__version__ == "4.57.1"
    sd1, sd2 = load("toy-sd", "text_encoder"), load("tiny-sd2v", "text_encoder")
    first = load("tiny-sdxl", "text_encoder")
    second = load("tiny-sdxl", "text_encoder_2", transformers.CLIPTextModelWithProjection, "tokenizer_2")
    tensors, cases = {}, []

    def add(model, kind, clip_skip, length, encode):
        for name, prompt in PROMPTS.items():
            key = f"{kind}.{clip_skip or 0}.{length}.{name}"
            with torch.no_grad():
                context, pooled = encode(prompt, length)
            assert len(context) == length + 2
            tensors[key] = context[[row for row in ROWS if row < len(context)]].contiguous()
            if pooled is not None:
                tensors[key + ".pooled"] = pooled.contiguous()
            cases.append({"key": key, "model": model, "kind": kind, "clip_skip": clip_skip, "length": length,
                          "prompt": name})

    for length in LENGTHS:
        for model, kind, source in (("toy-sd", "sd1", sd1), ("tiny-sd2v", "sd2", sd2)):
            for clip_skip in (None, 2) if length == 75 else (None,):
                add(model, kind, clip_skip, length, lambda p, n: encode_one(source, p, n, clip_skip))
        add("tiny-sdxl", "sdxl", None, length, lambda p, n: encode_two(first, second, p, n))
    layers = sd1[1].config.num_hidden_layers
    add("toy-sd", "sd1", layers + 1, 75, lambda p, n: encode_one(sd1, p, n, layers + 1))

    save_file(tensors, DATA / "golden" / "family_text.safetensors")
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (DATA / "golden" / "family_text.json").write_text(
        f'{{"rows": {json.dumps(ROWS)}, "prompts": {json.dumps(PROMPTS)}, "cases": [\n{lines}\n]}}\n')
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
