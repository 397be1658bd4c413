"""Small models of the three families, and the forms in which people have them: Diffusers folder and single file.

The models are random, of the classes of diffusers 0.35.2 and transformers 4.57.1. Whatever a single file does not say is
as in Stability's models: norms in 32 groups, 8 heads in SD 1.x and heads of 64 features elsewhere, sizes told by 256
numbers each. The names of single files are written here from the structure of LDM's and OpenCLIP's code; diffusers' own
conversion, which goes the other way, is what they are checked against (single_file_python_test.py).
"""
import re

import torch
from diffusers import (AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline,
                       StableDiffusionXLPipeline, UNet2DConditionModel)
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from make_tiny_models import NOISE, VOCABULARY, draw_weights, scale_output, text_encoder, write_tokenizer
from real_client import RESNET_LAYERS, ldm_blocks

WIDTH = 64  # of the text encoders
FAMILIES = ("sd1", "sd2v", "sdxl")
# The LDM names of what stands outside of the U-Net's blocks in state dicts, beside those of real_client.ldm_blocks.
UNET_NORMS = {"conv_norm_out": "out.0"}
RESNET_NORMS = {"norm1": "in_layers.0", "norm2": "out_layers.0"}


# ---- models --------------------------------------------------------------------------------------

def unet(seed, **sizes):
    given = {"layers_per_block": 2, "norm_num_groups": 32, "cross_attention_dim": WIDTH, "sample_size": 16, **sizes}
    model = draw_weights(UNet2DConditionModel(in_channels=4, out_channels=4, **given), seed)
    x, text = torch.randn(1, 4, 16, 16), torch.randn(1, 77, given["cross_attention_dim"])
    added = {"text_embeds": torch.randn(1, WIDTH), "time_ids": torch.tensor([[128.0, 128, 0, 0, 128, 128]])}
    return scale_output(model, lambda m: m(x, torch.tensor([500]), text, added_cond_kwargs=added).sample)


def vae(seed, scaling_factor):
    return draw_weights(AutoencoderKL(
        block_out_channels=(32, 32, 64, 64), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, norm_num_groups=32, sample_size=128,
        scaling_factor=scaling_factor), seed)


def encoder(kind, seed, layers, **sizes):
    return text_encoder(kind, seed, hidden_size=WIDTH, num_attention_heads=1, num_hidden_layers=layers, **sizes)


def without_checker(**parts):
    return StableDiffusionPipeline(safety_checker=None, feature_extractor=None, requires_safety_checker=False,
                                   tokenizer=CLIPTokenizer.from_pretrained(VOCABULARY), **parts)


def make_sd1():
    return without_checker(
        vae=vae(1, 0.18215), scheduler=DDIMScheduler(**NOISE, clip_sample=False),
        text_encoder=encoder(CLIPTextModel, 2, 3, intermediate_size=96, hidden_act="quick_gelu"),
        unet=unet(3, block_out_channels=(32, 64, 64, 64), attention_head_dim=8))


def make_sd2v():
    return without_checker(
        vae=vae(4, 0.18215), scheduler=DDIMScheduler(**NOISE, clip_sample=False, prediction_type="v_prediction"),
        text_encoder=encoder(CLIPTextModel, 5, 23, intermediate_size=96, hidden_act="gelu"),
        unet=unet(6, block_out_channels=(64, 64, 128, 128), attention_head_dim=[1, 1, 2, 2],
                  use_linear_projection=True, upcast_attention=True))


def make_sdxl():
    tokenizer = CLIPTokenizer.from_pretrained(VOCABULARY)
    return StableDiffusionXLPipeline(
        vae=vae(7, 0.13025), tokenizer=tokenizer, tokenizer_2=tokenizer, add_watermarker=False,
        scheduler=EulerDiscreteScheduler(**NOISE, timestep_spacing="leading"), force_zeros_for_empty_prompt=True,
        text_encoder=encoder(CLIPTextModel, 8, 3, intermediate_size=96, hidden_act="quick_gelu"),
        text_encoder_2=encoder(CLIPTextModelWithProjection, 9, 4, intermediate_size=128, hidden_act="gelu",
                               projection_dim=WIDTH),
        unet=unet(10, block_out_channels=(64, 128, 128), attention_head_dim=[1, 2, 2], use_linear_projection=True,
                  cross_attention_dim=2 * WIDTH, transformer_layers_per_block=[1, 2, 3],
                  down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                  up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                  addition_embed_type="text_time", addition_time_embed_dim=256,
                  projection_class_embeddings_input_dim=WIDTH + 6 * 256))


def make(family):
    torch.manual_seed(0)
    return {"sd1": make_sd1, "sd2v": make_sd2v, "sdxl": make_sdxl}[family]()


def save_folder(pipeline, folder, **how):
    """The Diffusers folder, its tokenizers as in the published ones; `how` goes to save_pretrained."""
    pipeline.save_pretrained(folder, **how)
    is_sd2 = pipeline.unet.config.use_linear_projection and not hasattr(pipeline, "text_encoder_2")
    write_tokenizer(folder / "tokenizer", *(("!", "<|endoftext|>") if is_sd2 else ("<|endoftext|>", "<|endoftext|>")))
    if hasattr(pipeline, "text_encoder_2"):
        write_tokenizer(folder / "tokenizer_2", "!", "!")
    for link in folder.glob("tokenizer*/*"):
        if link.is_symlink():
            link.unlink()
            link.symlink_to(VOCABULARY / link.name)


# ---- names of single files -----------------------------------------------------------------------

def unet_names(unet):
    """{Diffusers' name: LDM's name} of every weight of the U-Net."""
    names = {}
    for name in unet.state_dict():
        module, leaf = name.rsplit(".", 1)
        if module in UNET_NORMS:
            names[name] = f"{UNET_NORMS[module]}.{leaf}"
            continue
        ours, theirs = next((a, b) for a, b in ldm_blocks(unet.config) if module == a or module.startswith(a + "."))
        rest = module[len(ours) + 1:]
        if ".resnets." in name:
            rest = {**RESNET_LAYERS, **RESNET_NORMS}[rest]
        names[name] = ".".join(part for part in (theirs, rest, leaf) if part)
    return {name: "model.diffusion_model." + theirs for name, theirs in names.items()}


def vae_names(vae):
    """{Diffusers' name: LDM's name}; on the way up LDM counts its levels from the largest picture."""
    levels, names = len(vae.config.block_out_channels), {}
    for name in vae.state_dict():
        theirs = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        theirs = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", theirs)
        theirs = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", theirs)
        theirs = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", theirs)
        theirs = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", theirs)
        theirs = theirs.replace("mid_block.attentions.0.group_norm", "mid.attn_1.norm")
        for ours, letter in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
            theirs = theirs.replace(f"mid_block.attentions.0.{ours}", f"mid.attn_1.{letter}")
        names[name] = theirs.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    return {name: "first_stage_model." + theirs for name, theirs in names.items()}


def open_clip_tensors(encoder, prefix, spare_layer):
    """The encoder under OpenCLIP's names: q, k and v as one, the projection transposed; with one more layer at the end
    where it is to have what SD 2.x does not use."""
    state, tensors = encoder.state_dict(), {}
    outside = {"text_model.embeddings.token_embedding.weight": "token_embedding.weight",
               "text_model.embeddings.position_embedding.weight": "positional_embedding",
               "text_model.final_layer_norm.weight": "ln_final.weight",
               "text_model.final_layer_norm.bias": "ln_final.bias"}
    tensors.update({prefix + theirs: state[ours] for ours, theirs in outside.items()})
    layers = encoder.config.num_hidden_layers
    for target in range(layers + spare_layer):
        ours = f"text_model.encoder.layers.{min(target, layers - 1)}."
        theirs = f"{prefix}transformer.resblocks.{target}."
        for leaf in ("weight", "bias"):
            fused = [state[f"{ours}self_attn.{letter}_proj.{leaf}"] for letter in "qkv"]
            tensors[f"{theirs}attn.in_proj_{leaf}"] = torch.cat(fused)
            for a, b in (("self_attn.out_proj", "attn.out_proj"), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"),
                         ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj")):
                tensors[f"{theirs}{b}.{leaf}"] = state[f"{ours}{a}.{leaf}"].clone()
    projection = state.get("text_projection.weight", torch.randn(WIDTH, WIDTH))
    tensors[prefix + "text_projection"] = projection.T.contiguous()
    tensors[prefix + "logit_scale"] = torch.tensor(4.6)
    return tensors


def clip_tensors(encoder, prefix):
    tensors = {prefix + name: tensor for name, tensor in encoder.state_dict().items()}
    tensors[prefix + "text_model.embeddings.position_ids"] = torch.arange(77).unsqueeze(0)
    return tensors


def single_file(pipeline, spare_layer=True, ema=True):
    """{name: tensor} as the family's published single files have it."""
    tensors = {}
    for part, names in ((pipeline.unet, unet_names(pipeline.unet)), (pipeline.vae, vae_names(pipeline.vae))):
        for name, tensor in part.state_dict().items():
            as_kernel = ".mid.attn_1." in names[name] and tensor.dim() == 2
            tensors[names[name]] = tensor.reshape(*tensor.shape, 1, 1) if as_kernel else tensor
    if hasattr(pipeline, "text_encoder_2"):
        tensors.update(clip_tensors(pipeline.text_encoder, "conditioner.embedders.0.transformer."))
        tensors.update(open_clip_tensors(pipeline.text_encoder_2, "conditioner.embedders.1.model.", False))
        tensors["denoiser.sigmas"] = torch.linspace(0.03, 14.6, 1000)
        return tensors
    if pipeline.unet.config.use_linear_projection:
        tensors.update(open_clip_tensors(pipeline.text_encoder, "cond_stage_model.model.", spare_layer))
    else:
        tensors.update(clip_tensors(pipeline.text_encoder, "cond_stage_model.transformer."))
    if ema:
        for name in [name for name in tensors if name.startswith("model.diffusion_model.")]:
            copy = "model_ema." + name.removeprefix("model.").replace(".", "")
            tensors[copy] = torch.zeros_like(tensors[name])
        tensors["model_ema.decay"] = torch.tensor(0.9999)
    for name in ("betas", "alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "posterior_variance"):
        tensors[name] = torch.linspace(0.001, 0.01, 1000)
    return tensors
