"""Writes tests/data/tiny-sd2v and tests/data/tiny-sdxl: Diffusers folders of the two families with random weights.

usage: make_tiny_models.py [FOLDER]      (tests/data)
Made by the classes of diffusers 0.35.2 and transformers 4.57.1, so that every key, shape and setting has the place that
real models give it; the widths are as small as these classes bear and are all told apart, so that a swapped or assumed
size shows. Weights are drawn by draw_weights(), stored in fp16. The vocabulary is a link to toy-sd's.
"""
import json
import math
import sys
from pathlib import Path

import torch
from diffusers import (AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline,
                       StableDiffusionXLPipeline, UNet2DConditionModel)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

DATA = Path(__file__).resolve().parent.parent / "data"
VOCABULARY = DATA / "toy-sd" / "tokenizer"
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


# ---- weights -------------------------------------------------------------------------------------

def draw_weights(model, seed):
    """Normal weights that keep the size of what passes through; the text encoders' attention is sharper than that."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        z = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            parameter.data = 0.1 * z
        elif parameter.dim() == 1:
            parameter.data = 1.0 + 0.1 * z
        elif "_embedding." in name and "time" not in name and "add" not in name:
            parameter.data = 0.7 * z
        else:
            gain = 1.7 if name.split(".")[-2] in ("q_proj", "k_proj") else 1.0
            parameter.data = gain / math.sqrt(parameter[0].numel()) * z
    return model.eval()


def scale_output(unet, call):
    """Scales conv_out until the output of call(unet) has a deviation near 0.3.

    With louder predictions a random model's rollout is chaotic: it turns the rounding of float32 into percents within
    eleven steps of guidance 3, and nobody's result could be compared with anybody's.
    """
    with torch.no_grad():
        unet.conv_out.weight *= 0.3 / call(unet).std()
    return unet


# ---- parts ---------------------------------------------------------------------------------------

def text_encoder(kind, seed, **sizes):
    """bos, eos and pad ids as in the published files: they say 0, 2 and 1, which are not those of the vocabulary."""
    config = CLIPTextConfig(vocab_size=49408, max_position_embeddings=77, bos_token_id=0, eos_token_id=2,
                            pad_token_id=1, **sizes)
    return draw_weights(kind(config), seed)


def unet(seed, **sizes):
    return draw_weights(UNet2DConditionModel(
        in_channels=4, out_channels=4, layers_per_block=2, norm_num_groups=4, use_linear_projection=True,
        sample_size=16, **sizes), seed)


def vae(seed, scaling_factor):
    return draw_weights(AutoencoderKL(
        block_out_channels=(4, 4, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, norm_num_groups=4, sample_size=128,
        scaling_factor=scaling_factor), seed)


def sd2v_unet(seed):
    """attention_head_dim holds the number of heads, as in every Diffusers file of SD2; the middle takes the last."""
    model = unet(seed, block_out_channels=(8, 16, 16, 16), attention_head_dim=[1, 2, 4, 2], cross_attention_dim=8,
                 upcast_attention=True)
    x, context = torch.randn(2, 4, 16, 16), torch.randn(2, 77, 8)
    return scale_output(model, lambda m: m(x, torch.tensor([700, 100]), context).sample)


def sdxl_unet(seed, addition_time_embed_dim=16, pooled=10):
    model = unet(seed, block_out_channels=(8, 16, 16), attention_head_dim=[1, 2, 4], cross_attention_dim=12,
                 down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                 up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                 transformer_layers_per_block=[1, 2, 3], addition_embed_type="text_time",
                 addition_time_embed_dim=addition_time_embed_dim,
                 projection_class_embeddings_input_dim=pooled + 6 * addition_time_embed_dim)
    x, context = torch.randn(2, 4, 16, 16), torch.randn(2, 77, 12)
    added = {"text_embeds": torch.randn(2, pooled), "time_ids": torch.tensor([[128.0, 128, 0, 0, 128, 128]] * 2)}
    return scale_output(
        model, lambda m: m(x, torch.tensor([700, 100]), context, added_cond_kwargs=added).sample)


# ---- tokenizers ----------------------------------------------------------------------------------

def special(content, normalized):
    return {"content": content, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}


def write_tokenizer(folder, pad, pad_in_config):
    """The two small files in the form of the published models, the vocabulary as links.

    pad is what the tokenizer pads with. SD2's files are of the old form: tokenizer_config.json names another pad token,
    and special_tokens_map.json wins. The new form has added_tokens_decoder, and there tokenizer_config.json decides.
    """
    for old in folder.iterdir():
        old.unlink()
    start, end = special("<|startoftext|>", True), special("<|endoftext|>", True)
    config = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
              "pad_token": pad_in_config, "add_prefix_space": False, "do_lower_case": True, "errors": "replace",
              "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    if pad == pad_in_config:
        added = {"0": special("!", False)} if pad == "!" else {}
        added.update({"49406": start, "49407": end})
        config["added_tokens_decoder"] = {id: {**token, "special": True} for id, token in added.items()}
    write_json(folder / "tokenizer_config.json", config)
    write_json(folder / "special_tokens_map.json", {"bos_token": start, "eos_token": end, "pad_token": pad,
                                                    "unk_token": end})
    for name in ("vocab.json", "merges.txt"):
        (folder / name).symlink_to(Path("../../toy-sd/tokenizer") / name)


def write_json(path, document):
    path.write_text(json.dumps(document, indent=2) + "\n")


# ---- models --------------------------------------------------------------------------------------

def save(pipeline, folder, tokenizers):
    pipeline.to(torch.float16).save_pretrained(folder)
    for name, pads in tokenizers.items():
        write_tokenizer(folder / name, *pads)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o644)
    print(folder, sum(path.stat().st_size for path in folder.rglob("*") if not path.is_symlink()), "bytes")


def make_sd2v(folder):
    encoder = text_encoder(CLIPTextModel, 21, hidden_size=8, intermediate_size=20, num_attention_heads=2,
                           num_hidden_layers=3, hidden_act="gelu", projection_dim=512)
    pipeline = StableDiffusionPipeline(
        vae=vae(22, 0.18215), text_encoder=encoder, tokenizer=CLIPTokenizer.from_pretrained(VOCABULARY),
        unet=sd2v_unet(23), scheduler=DDIMScheduler(**NOISE, prediction_type="v_prediction", clip_sample=False,
                                                    set_alpha_to_one=False),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    save(pipeline, folder, {"tokenizer": ("!", "<|endoftext|>")})


def make_sdxl(folder):
    first = text_encoder(CLIPTextModel, 31, hidden_size=4, intermediate_size=20, num_attention_heads=2,
                         num_hidden_layers=3, hidden_act="quick_gelu", projection_dim=768)
    second = text_encoder(CLIPTextModelWithProjection, 32, hidden_size=8, intermediate_size=24, num_attention_heads=2,
                          num_hidden_layers=4, hidden_act="gelu", projection_dim=10)
    tokenizer = CLIPTokenizer.from_pretrained(VOCABULARY)
    pipeline = StableDiffusionXLPipeline(
        vae=vae(33, 0.13025), text_encoder=first, text_encoder_2=second, tokenizer=tokenizer, tokenizer_2=tokenizer,
        unet=sdxl_unet(34), scheduler=EulerDiscreteScheduler(**NOISE, timestep_spacing="leading"),
        force_zeros_for_empty_prompt=True, add_watermarker=False)
    save(pipeline, folder, {"tokenizer": ("<|endoftext|>", "<|endoftext|>"), "tokenizer_2": ("!", "!")})


def main(folder=DATA):
    torch.manual_seed(0)
    make_sd2v(Path(folder) / "tiny-sd2v")
    make_sdxl(Path(folder) / "tiny-sdxl")
    sdxl_unet(34, addition_time_embed_dim=256)  # the published size; only its first linear layer is wider


if __name__ == "__main__":
    main(*sys.argv[1:2])
