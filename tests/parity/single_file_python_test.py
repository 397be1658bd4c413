"""A model gives the same embeddings and predictions in every form that people have it in, and they are Diffusers'.

usage: single_file_python_test.py LECO WRITE_CLIENT_CASE
"""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch
from diffusers.loaders import single_file_utils as diffusers_rules
from safetensors.torch import load_file, save_file

import single_files
from real_client import load_pipeline

LECO, WRITE_CLIENT_CASE = sys.argv[1:3]
PROMPTS = ("a small blue square", "circle", "")  # write_client_case's own
TOLERANCE = 1e-5


def ended(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def run(*command):
    done = ended(*map(str, command))
    if done.returncode:
        raise AssertionError(f"{command[0]} ended with status {done.returncode}\n{done.stderr}")
    return done


def save_checkpoint(tensors, path):
    """As PyTorch Lightning leaves it: the weights among other things."""
    torch.save({"state_dict": tensors, "global_step": 7, "epoch": 1, "pytorch-lightning_version": "1.9.0"}, path)


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


class SingleFileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_num_threads(1)
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.holder.name)
        cls.pipelines = {family: single_files.make(family) for family in single_files.FAMILIES}
        cls.tensors, cls.forms = {}, {}
        for family, pipeline in list(cls.pipelines.items()):
            cls.tensors[family] = single_files.single_file(pipeline)
            forms = cls.forms[family] = {kind: cls.folder / f"{family}.{kind}" for kind in ("folder", "safetensors", "ckpt")}
            single_files.save_folder(pipeline, forms["folder"])
            cls.pipelines[family] = load_pipeline(forms["folder"])  # with the family's own tokenizers
            save_file({name: t.contiguous() for name, t in cls.tensors[family].items()}, forms["safetensors"])
            save_checkpoint(cls.tensors[family], forms["ckpt"])

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def outputs(self, model, *flags):
        path = self.folder / "outputs.safetensors"
        run(WRITE_CLIENT_CASE, model, "-", path, *flags)
        return load_file(path)

    def test_the_files_are_what_diffusers_takes_for_such_models(self):
        for family, pipeline in self.pipelines.items():
            tensors = self.tensors[family]
            config = dict(pipeline.unet.config)
            back = diffusers_rules.convert_ldm_unet_checkpoint(dict(tensors), config)
            self.same(back, pipeline.unet.state_dict(), family)
            back = diffusers_rules.convert_ldm_vae_checkpoint(dict(tensors), pipeline.vae.config)
            self.same({name: t.reshape(pipeline.vae.state_dict()[name].shape) for name, t in back.items()},
                      pipeline.vae.state_dict(), family)
        for family, encoder, prefix in (("sd2v", "text_encoder", "cond_stage_model.model."),
                                        ("sdxl", "text_encoder_2", "conditioner.embedders.1.model.")):
            model = getattr(self.pipelines[family], encoder)
            back = diffusers_rules.convert_open_clip_checkpoint(model, dict(self.tensors[family]), prefix)
            wanted = model.state_dict()
            self.same({name: t for name, t in back.items() if name in wanted}, wanted, family)

    def same(self, found, wanted, what):
        self.assertEqual(found.keys(), wanted.keys(), what)
        for name, tensor in wanted.items():
            self.assertTrue(torch.equal(found[name], tensor), (what, name))

    def test_every_form_gives_the_numbers_of_diffusers(self):
        for family, forms in self.forms.items():
            for kind, path in forms.items():
                flags = ["--v_parameterization"] if family == "sd2v" and kind != "folder" else []
                self.compare(family, self.outputs(path, *flags), (family, kind))

    def compare(self, family, ours, what):
        pipeline = self.pipelines[family]
        embedded = [pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1,
                                           do_classifier_free_guidance=False) for prompt in PROMPTS]
        embeddings = torch.cat([each[0] for each in embedded])
        self.assertLess(relative(ours["embeddings"], embeddings), TOLERANCE, what)
        added = None
        if family == "sdxl":
            pooled = torch.cat([each[2] for each in embedded])
            self.assertLess(relative(ours["pooled"], pooled), TOLERANCE, what)
            added = {"text_embeds": pooled, "time_ids": ours["time_ids"]}
        for kind in ("", "odd_"):
            with torch.no_grad():
                theirs = pipeline.unet(ours[kind + "latents"], ours["timesteps"], embeddings,
                                       added_cond_kwargs=added).sample
            distance = relative(ours[kind + "output_0"], theirs)
            print(*what, kind or "96x128", f"{distance:.1e}", flush=True)
            self.assertLess(distance, TOLERANCE, what)
        if "picture" in ours:
            self.compare_picture(pipeline.vae, ours, what)

    def compare_picture(self, vae, ours, what):
        with torch.no_grad():
            theirs = vae.decode(ours["odd_latents"][:1] / vae.config.scaling_factor).sample
        distance = relative(ours["picture"], theirs)
        print(*what, "picture", f"{distance:.1e}", flush=True)
        self.assertLess(distance, TOLERANCE, what)

    def test_a_vae_is_read_from_every_form_and_from_beside_the_model(self):
        for family, pipeline in self.pipelines.items():
            v = ["--v_parameterization"] if family == "sd2v" else []
            prefix = "first_stage_model."
            alone = {name.removeprefix(prefix): t.contiguous() for name, t in self.tensors[family].items()
                     if name.startswith(prefix)}
            as_matrices = {name: t.flatten(1) if ".mid.attn_1." in name and t.dim() == 4 else t for name, t in alone.items()}
            named_by_diffusers = {name: t.contiguous() for name, t in pipeline.vae.state_dict().items()}
            no_vae = {name: t.contiguous() for name, t in self.tensors[family].items() if not name.startswith(prefix)}
            model, beside = self.folder / "no_vae.safetensors", self.folder / "vae.safetensors"
            save_file(no_vae, model)
            self.assertNotIn("picture", self.outputs(model, *v), family)
            for what, tensors in (("LDM", alone), ("matrices", as_matrices), ("Diffusers", named_by_diffusers)):
                save_file(tensors, beside)
                self.compare_picture(pipeline.vae, self.outputs(model, f"--vae={beside}", *v), (family, what))
            save_checkpoint({**alone, "loss.logvar": torch.zeros(1), "model_ema.decay": torch.ones(1)}, self.folder / "vae.ckpt")
            folder = self.forms[family]["folder"]
            for other in (self.folder / "vae.ckpt", folder, folder / "vae", self.forms[family]["safetensors"]):
                self.compare_picture(pipeline.vae, self.outputs(model, f"--vae={other}", *v), (family, other.name))

    def test_what_is_no_vae_is_refused(self):
        model = self.forms["sd1"]["safetensors"]
        no_decoder = self.folder / "no_decoder.safetensors"
        save_file({"decoder.conv_in.weight": torch.zeros(1)}, no_decoder)
        for other, says in ((self.folder / "none", "no such VAE"), (self.forms["sd1"]["folder"] / "unet", "AutoencoderKL"),
                            (self.folder, "config.json"), (no_decoder, "no decoder"),
                            (self.forms["sd1"]["folder"] / "text_encoder/model.safetensors", "a CLIP text encoder")):
            done = ended(WRITE_CLIENT_CASE, model, "-", self.folder / "outputs.safetensors", f"--vae={other}")
            self.assertEqual(done.returncode, 1, other)
            self.assertIn(says, done.stderr)
            self.assertIn(str(other), done.stderr)

    def test_what_people_do_to_files_does_not_change_the_numbers(self):
        sd1, sd2 = self.tensors["sd1"], self.tensors["sd2v"]
        older = {name.replace("transformer.text_model.", "transformer."): t for name, t in sd1.items()}
        shorter = single_files.single_file(self.pipelines["sd2v"], spare_layer=False, ema=False)
        pruned = {name: t for name, t in sd2.items() if not name.startswith(("model_ema", "first_stage", "betas"))}
        for what, family, tensors, flags in (("older names", "sd1", older, []), ("23 layers", "sd2v", shorter, ["--v2"]),
                                             ("pruned", "sd2v", pruned, [])):
            path = self.folder / "changed.safetensors"
            save_file({name: t.contiguous() for name, t in tensors.items()}, path)
            v = ["--v_parameterization"] if family == "sd2v" else []
            self.compare(family, self.outputs(path, *v, *flags), (family, what))

    def test_precisions_and_shards_and_variants_of_folders_are_read(self):
        for family, pipeline in self.pipelines.items():
            half = {name: t.half().contiguous() if t.is_floating_point() else t for name, t in self.tensors[family].items()}
            path = self.folder / "half.safetensors"
            save_file(half, path)
            v = ["--v_parameterization"] if family == "sd2v" else []
            expected = self.outputs(path, *v)
            bfloat = {name: t.bfloat16() if t.is_floating_point() else t for name, t in half.items()}
            save_checkpoint(bfloat, self.folder / "bf16.ckpt")
            from_bfloat = self.outputs(self.folder / "bf16.ckpt", *v)
            self.assertLess(relative(from_bfloat["output_0"], expected["output_0"]), 0.05, family)
            copy = single_files.make(family).to(torch.float16)
            for what, how in (("variant", {"variant": "fp16"}), ("shards", {"max_shard_size": "200KB"}),
                              ("bin", {"safe_serialization": False})):
                folder = self.folder / f"{family}-{what}"
                single_files.save_folder(copy, folder, **how)
                found = self.outputs(folder)
                for name in ("embeddings", "output_0"):
                    self.assertTrue(torch.equal(found[name], expected[name]), (family, what, name))
                shutil.rmtree(folder)

    def test_a_training_gives_the_same_lora_from_every_form(self):
        prompts = self.folder / "prompts.toml"
        prompts.write_text('[[prompts]]\ntarget = "a red circle"\nneutral = "circle"\nresolution = 128\n')
        for family, forms in self.forms.items():
            loras = {}
            for kind, path in forms.items():
                flags = ["--v_parameterization"] if family == "sd2v" else []
                done = run(LECO, "train", f"--pretrained_model_name_or_path={path}", f"--prompts_file={prompts}",
                           f"--output_dir={self.folder / 'lora'}", f"--output_name={family}", "--max_train_steps=1",
                           "--max_denoising_steps=3", "--seed=1", "--device=cpu", "--learning_rate=1e-3", *flags)
                form = {"folder": "a Diffusers folder"}.get(kind, "a single file")
                self.assertIn(f", {form}, from {path}", done.stderr)
                loras[kind] = load_file(done.stdout.split()[-1])
            for kind in ("safetensors", "ckpt"):
                self.same(loras[kind], loras["folder"], (family, kind))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
