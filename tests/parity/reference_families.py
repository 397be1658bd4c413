"""What SD 2.x and SDXL add to reference_trainer.py: their text, SDXL's size conditioning, the SGM spelling of its LoRA.

Written from SPEC.md sections 2, 5 and 6 alone. SD 2.x in a Diffusers folder needs nothing but prediction_type
"v_prediction" in the settings: the folder's text encoder has no more layers than are used.
"""
import math
from functools import partial
from pathlib import Path

import torch
from transformers import CLIPTextModelWithProjection, CLIPTokenizerFast

from real_client import ldm_names
from reference_trainer import CROP, Draws, Model, pixel_size

CHUNK = 75  # tokens between start and end


# ---- text ----------------------------------------------------------------------------------------

def token_rows(tokenizer, prompt, max_token_length=CHUNK):
    """(n, 77): the prompt's tokens in n rows of start, 75 tokens, end or padding.

    A tokenizer that pads with another token than the end leaves rows without an end token; as in sd-scripts a row
    that breaks off in the text then ends with it, and one that holds nothing begins with it.
    """
    ids = tokenizer(prompt, padding="max_length", max_length=max_token_length + 2, truncation=True).input_ids
    rows = [[ids[0], *ids[begin:begin + CHUNK], ids[-1]] for begin in range(1, max_token_length, CHUNK)]
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    if len(rows) > 1 and pad != end:
        for row in rows:
            if row[-2] not in (end, pad):
                row[-1] = end
            if row[1] == pad:
                row[1] = end
    return torch.tensor(rows)


def join_rows(states):
    """(n, 77, D) -> (1, 75 n + 2, D): the first row's start, what stands inside of each, the last row's end."""
    return torch.cat([states[0, :1], states[:, 1:-1].flatten(0, 1), states[-1, -1:]]).unsqueeze(0)


def encode_sd2(tokenizer, encoder, prompt, max_token_length=CHUNK, clip_skip=1):
    """(1, L, D): clip_skip 1 is the last layer of the Diffusers folder, the 23rd of 24. The final norm comes after."""
    with torch.no_grad():
        states = encoder(token_rows(tokenizer, prompt, max_token_length), output_hidden_states=True).hidden_states
        return join_rows(encoder.text_model.final_layer_norm(states[-clip_skip]))


def encode_sdxl(tokenizers, encoders, prompt, max_token_length=CHUNK):
    """-> (1, L, D1 + D2): both encoders' last states but one, without the norm; (1, P): the second's projection of the
    last state, normed, at the first end token of the first row."""
    rows = [token_rows(tokenizer, prompt, max_token_length) for tokenizer in tokenizers]
    with torch.no_grad():
        outputs = [encoder(row, output_hidden_states=True) for encoder, row in zip(encoders, rows)]
        end = rows[1][0].tolist().index(tokenizers[1].eos_token_id)
        pooled = encoders[1].text_projection(outputs[1].last_hidden_state[:1, end])
    return torch.cat([join_rows(output.hidden_states[-2]) for output in outputs], dim=-1), pooled


# ---- size conditioning ---------------------------------------------------------------------------

def size_ids(settings, pair, step, item):
    """[original height, width, crop's top, left, target height, width] of an item; all its predictions share it."""
    height, width = pixel_size(settings, pair, step, item)
    if not pair["dynamic_crops"]:
        return [height, width, 0, 0, height, width]
    draws = Draws(settings["seed"], CROP, step, item)
    scale = 1.0 + 2.0 * draws.uniforms(1)[0]
    original = [math.floor(height * scale), math.floor(width * scale)]
    top, left = (draws.integer(position, max(whole - part, 1))
                 for position, whole, part in zip((1, 2), original, (height, width)))
    return [*original, top, left, height, width]


# ---- the model -----------------------------------------------------------------------------------

class SdxlModel(Model):
    def __init__(self, folder, dtype=torch.float32):
        super().__init__(folder, dtype)
        folder = Path(folder)
        second = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", dtype=torch.float32)
        self.encoders = [self.text_encoder, second.eval()]
        self.tokenizers = [self.tokenizer, CLIPTokenizerFast.from_pretrained(folder / "tokenizer_2")]
        self.sgm_names = ldm_names(self.unet)

    def spelling(self, name):
        return self.sgm_names[name]

    def embed(self, prompt):
        """-> (1, 77, D1 + D2), (1, P)"""
        if prompt not in self.embeddings:
            self.embeddings[prompt] = encode_sdxl(self.tokenizers, self.encoders, prompt)
        return self.embeddings[prompt]

    def predict(self, latents, t, prompts, sizes):
        """As Model.predict; sizes as from size_ids."""
        rows = len(latents) * len(prompts)
        embedded = [self.embed(prompt) for prompt in prompts for _ in latents]
        context, pooled = (torch.cat(parts).to(self.dtype) for parts in zip(*embedded))
        added = {"text_embeds": pooled, "time_ids": torch.tensor([sizes] * rows, dtype=self.dtype)}
        inputs = torch.cat([latents] * len(prompts)).to(self.dtype)
        return self.unet(inputs, t, context, added_cond_kwargs=added).sample.float().split(len(latents))

    def predictor(self, settings, pair, step, item):
        return partial(self.predict, sizes=size_ids(settings, pair, step, item))
