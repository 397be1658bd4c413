"""Writes what the text code is compared with, in tests/data/golden: tokenizer.json, clip_text.safetensors and .json.

Run once, by hand, from the root of the repository:
    .venv/bin/python tests/parity/make_text_golden.py
Pinned: torch 2.11.0, transformers 4.57.1, tokenizers 0.22.2, safetensors. What is drawn comes from Python's
`random.Random` and torch's CPU generator, both seeded here.
"""

import json
import pathlib
import random
import shutil
import tempfile

import tokenizers
import torch
import transformers
from safetensors.torch import save_file

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
TOY = DATA / "toy-sd"
GOLDEN = DATA / "golden"
ROWS = [0, 1, 2, 5, 19, 76]  # the tokens whose hidden states are kept

PROMPTS = ["", "a big red circle", "small square, blue", "circle " * 90]

WRITTEN = """
a photo of a cat¦A PHOTO Of A Cat¦  leading and trailing  ¦tab\there¦line\nbreak\r\nagain¦a,b;c:d¦wow!!!¦what?!¦...¦....¦—¦– dash —
don't¦DON'T¦they're¦we've¦I'm¦she'll¦he'd¦it's¦'s¦'t¦'re¦'ve¦'m¦'ll¦'d¦'sam¦''s¦'S¦rock'n'roll¦o’clock¦l'été¦'99¦x's's¦'red¦'veil¦'llama¦'t't
123¦1234567890¦3.14159¦1,000,000¦1st 2nd 3rd¦v1.5¦512x512¦½ ¼ ¾¦x² y³¦Ⅷ ⅷ¦①②③¦٣٤٥¦१२३¦๑๒๓¦𝟘𝟙𝟚¦一二三
İstanbul¦ISTANBUL¦ıssız¦ß¦ẞ¦STRASSE¦ΌΣΟΣ¦ΑΣ¦Σ¦ΣΣ ΣΑΣ¦σς¦ﬁne ﬂow ﬀ ﬃ¦ĳsland Ĳ¦ŉ¦ǆ ǅ Ǆ¦K Å Ω¦ſ¦Ꭰ ꭰ¦Ა ა¦ᏸ¦Ⴀ ⴀ
é¦é¦É¦É¦ạ̈¦ạ̈¦à̖¦q̣̇¦q̣̇¦Å¦Å¦ḍ̇¦ñ¦n\u0303o¦o\u0302\u0301¦가¦각¦한국어¦क़¦ড়¦བྷ¦ེོ¦̈́¦͘a¦\u0301¦\u0301\u0301 x
日本語¦中文字符¦今日は良い天気ですね¦カタカナ ひらがな¦ﾊﾝｶｸ¦が¦が¦한국어 텍스트¦漢字kanji混ざり¦，。！？「」¦𠮷野家¦〇¦々
مرحبا بالعالم¦العَرَبِيَّة¦سلام¦שלום¦שָׁלוֹם¦ไทย¦ภาษาไทยสวย¦กำ¦हिन्दी¦தமிழ்¦বাংলা¦ខ្មែរ¦မြန်မာ¦ትግርኛ¦ქართული¦Հայերեն¦ᠮᠣᠩᠭᠣᠯ
Привет, мир!¦ПРИВЕТ¦Ёлка¦Ελληνικά¦ΆΈΉΊΌΎΏ¦čšž ČŠŽ¦øæå ØÆÅ¦ñandú¦Việt Nam¦ƏəƷʒ¦ǈǉ¦ꜲꜳꞋ
😀¦👩‍👩‍👧‍👦¦🇩🇪🇫🇷¦👍🏽¦❤️¦❤¦☎️¦✈¦🏳️‍🌈¦1️⃣¦#️⃣¦©️ ™ ®¦a😀b¦😀😀😀¦🤷‍♀️ ok¦★☆¦→←¦♠♣¦𝓬𝓪𝓽¦𝕳𝖎¦🅰️¦
a\u200bb¦a\u200db¦\ufeffa¦a\u00adb¦a\u2060b¦a\u00a0b¦a\u3000b¦a\u2003b¦a\u2028b¦a\u0085b¦a\u180eb¦a\u001cb¦\u0000¦a\u0000b¦\u0007¦\u001b[31m¦a\u007fb¦\u0080¦\u009f
<|endoftext|>¦<|startoftext|>¦a <|endoftext|> b¦a<|endoftext|>b¦<|ENDOFTEXT|>¦<|EndOfText|><|startoftext|>¦<|endoftext|¦|endoftext|>¦<|endoftext|>!¦< |endoftext|>¦<|endo\u0301ftext|>¦<|\uff45ndoftext|>¦!<|startoftext|>'s¦</w>¦a</w>¦cat</w> dog¦[UNK]¦<unk>
(masterpiece:1.2), [best] {quality}¦AND BREAK¦a::b¦a_b_c¦snake_case¦kebab-case¦C++¦C#¦http://example.com/?q=1&x=y¦user@host.org¦$100¦50%¦#tag¦@me¦~^`¦\\/\\/
supercalifragilisticexpialidocious¦pneumonoultramicroscopicsilicovolcanoconiosis¦aaaaaaaaaaaaaaaaaaaaaaaaa¦lolololololol¦zzzz¦qwxzjkv
\ue000¦\uf8ff¦\U000f0000¦\U0010ffff¦\ufffd¦\ufffe¦\uffff¦\u0378¦\U000e0041¦\U0001f9ff¦\U0001fae8¦\u1c89¦\ua7dc¦\U00010d50x¦\U00016ea0¦\ua7cb1¦\U000105c9\u0307¦\u0898\u0334¦\u0345\u08d4¦\u07fd\u0334
"""


def written_prompts():
    prompts = ["", " ", "\t\n", "two\nlines", "|", "||", "circle " * 74 + "square"]
    for line in WRITTEN.strip("\n").split("\n"):
        prompts += line.split("¦")
    prompts += ["circle " * 75 + "square", "!" * 400, "ab" * 400, "😀" * 100, "word, " * 60]
    prompts += ["x " * 76 + "<|endoftext|>"]
    return prompts


def random_prompts(count, seed):
    """Texts of mixed scripts; characters that Unicode has not assigned are among them."""
    draw = random.Random(seed)
    blocks = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x400), (0x400, 0x530), (0x590, 0x700)]
    blocks += [(0x900, 0xE80), (0x1100, 0x1200), (0x1E00, 0x2070), (0x3000, 0x3100), (0x4E00, 0x4F00)]
    blocks += [(0xA7C0, 0xA7E0), (0xAC00, 0xAD00), (0xFB00, 0xFB50), (0x1D400, 0x1D800), (0x1F300, 0x1F700)]
    blocks += [(0x10D40, 0x10D90), (0x800, 0xD800), (0xE000, 0x32000)]
    lengths = [draw.randint(1, 16) for _ in range(count)]
    return ["".join(chr(draw.randrange(*draw.choice(blocks))) for _ in range(length)) for length in lengths]


def token(content, normalized=True, **more):
    flags = {"lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}
    return {"content": content, **flags, **more}


def variants():
    """Ways in which tokenizer folders say which tokens are special: file name → contents."""
    start, end = token("<|startoftext|>"), token("<|endoftext|>")
    old_config = {"bos_token": {"__type": "AddedToken", **start}, "eos_token": {"__type": "AddedToken", **end},
                  "unk_token": {"__type": "AddedToken", **end}, "pad_token": "<|endoftext|>", "model_max_length": 77}
    old_map = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": "<|endoftext|>"}
    texts = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    special = {"49406": {**start, "special": True}, "49407": {**end, "special": True}}
    return {
        "nothing": {},
        "SD 1.x": {"tokenizer_config.json": old_config, "special_tokens_map.json": old_map},
        "SD 2.x": {"tokenizer_config.json": old_config, "special_tokens_map.json": {**old_map, "pad_token": "!"}},
        "second of SDXL": {
            "tokenizer_config.json": {**texts, "pad_token": "!",
                                      "added_tokens_decoder": {"0": token("!", False, special=True), **special}},
            "special_tokens_map.json": {"pad_token": "<|endoftext|>"}},
        "textual inversion, old": {
            "tokenizer_config.json": old_config, "special_tokens_map.json": old_map,
            "added_tokens.json": {"<Cat Toy>": 49408, "midjourney-style": 49409}},
        "textual inversion, new": {
            "tokenizer_config.json": {
                **texts, "pad_token": "<|endoftext|>", "additional_special_tokens": ["<ABC>"],
                "added_tokens_decoder": {**special, "49408": token("<Cat Toy>", special=False),
                                         "49409": token("Mid  Style", False, special=False)}}},
    }


VARIANT_PROMPTS = ["", "wow!! a<|ENDOFTEXT|>b", "!", "!\u0338 a!b", "a <cat toy> b <Cat  Toy>s",
                   "mid  style", "xMid  StyleY", "<abc> <ABC>", "midjourney-styles", "MIDJOURNEY-STYLE!", "e!\u0301", "<Cat\u3000Toy>"]


def ids_of(tokenizer, prompts):
    """The 77 ids of each, without the padding at the end."""
    full = tokenizer(prompts, padding="max_length", max_length=77, truncation=True).input_ids
    kept = []
    for ids in full:
        assert len(ids) == 77
        while len(ids) > 1 and ids[-1] == ids[-2] == tokenizer.pad_token_id:
            ids = ids[:-1]
        kept.append(ids)
    return kept


def write_tokenizer_golden():
    assert tokenizers.__version__ == "0.22.2" and transformers.__version__ == "4.57.1"
    plain = transformers.CLIPTokenizerFast.from_pretrained(TOY / "tokenizer")
    prompts = list(dict.fromkeys(written_prompts() + random_prompts(150, seed=5)))
    folders = []
    for name, files in variants().items():
        with tempfile.TemporaryDirectory() as folder:
            for file in ("vocab.json", "merges.txt"):
                shutil.copy(TOY / "tokenizer" / file, folder)
            for file, contents in files.items():
                pathlib.Path(folder, file).write_text(json.dumps(contents))
            tokenizer = transformers.CLIPTokenizerFast.from_pretrained(folder)
        texts = {file: json.dumps(contents) for file, contents in files.items()}
        cases = [list(case) for case in zip(VARIANT_PROMPTS, ids_of(tokenizer, VARIANT_PROMPTS))]
        folders.append({"name": name, "files": texts, "pad": tokenizer.pad_token_id, "cases": cases})
    cases = [list(case) for case in zip(prompts, ids_of(plain, prompts))]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    variants_text = ",\n".join(json.dumps(folder, separators=(",", ":")) for folder in folders)
    text = f'{{"pad": {plain.pad_token_id}, "cases": [\n{lines}\n], "folders": [\n{variants_text}\n]}}\n'
    (GOLDEN / "tokenizer.json").write_text(text)
    print(len(cases), "prompts,", len(folders), "kinds of folder")


def write_clip_golden():
    tensors = {}
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(TOY / "tokenizer")
    toy = transformers.CLIPTextModel.from_pretrained(TOY / "text_encoder", dtype=torch.float32).eval()
    ids = tokenizer(PROMPTS, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    ids = ids.input_ids

    torch.manual_seed(11)
    small_config = {"vocab_size": 40, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 3,
                    "num_attention_heads": 2, "max_position_embeddings": 80, "hidden_act": "gelu",
                    "layer_norm_eps": 1e-3}
    small = transformers.CLIPTextModel(transformers.CLIPTextConfig(**small_config)).eval()
    small_ids = torch.randint(0, 40, (2, 77))
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.5)
        tensors["toy.hidden"] = toy(ids).last_hidden_state[:, ROWS].contiguous()
        out = small(small_ids, output_hidden_states=True)
        tensors["small.ids"] = small_ids
        tensors["small.hidden"] = out.last_hidden_state[:, ROWS].contiguous()
        tensors["small.penultimate"] = out.hidden_states[-2][:, ROWS].contiguous()
    tensors.update({"small." + name: value.contiguous() for name, value in small.state_dict().items()})
    tensors["small.text_model.embeddings.position_ids"] = torch.arange(80).unsqueeze(0)
    save_file(tensors, GOLDEN / "clip_text.safetensors")
    about = {"rows": ROWS, "prompts": PROMPTS, "small_config": small_config}
    (GOLDEN / "clip_text.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    write_tokenizer_golden()
    write_clip_golden()
