"""leco inspect FILE --config DIR writes a run that makes the same file again.

usage: reproduce_test.py MPIEXEC LECO
"""
import json
import shutil
import tomllib

from leco_runs import TOY, LecoTest, Run, main
from safetensors import safe_open
from safetensors.torch import load_file, save_file

ERASE = r"""
# names, quotes and line breaks that a file must carry over
- target: "van \"gogh\" \\ ü\n漢"
  positive: "van gogh"
  unconditional: ""
  neutral: "a picture"
  guidance: 1.5
  resolution: 64
- target: "red"
  action: "enhance"
  resolution: 64
  batch_size: 2
"""

DYNAMIC = """
guidance_scale = 0.7
dynamic_resolution = true
resolution = 128
neutrals = ["a circle", ""]
preserve = ["red", ""]
[slider]
weight = 0.3
[[slider.targets]]
target_class = "circle"
positive = "big circle"
"""

OPTIMIZERS = {
    "AdamW8bit": "betas=0.8,0.95 eps=1e-7 weight_decay=0.003 min_8bit_size=64",
    "Adafactor": "scale_parameter=False relative_step=False warmup_init=False beta1=0.9 eps=1e-30,1e-4",
    "Prodigy": "d_coef=0.5 beta3=0.99 growth_rate=1.02 safeguard_warmup=True use_bias_correction=True",
}
SHORT = {"max_train_steps": 2, "max_denoising_steps": 4}


class ReproduceTest(LecoTest):
    def inspect(self, path, folder, *words, status=0):
        run = Run(["inspect", path, f"--config={folder}", *words])
        self.assertEqual(run.status, status, run.err)
        return run

    def repeat(self, made, ranks=None, name="x", words=()):
        """Trains from the written files into the folder they lie in; the file must come out the same."""
        folder = self.folder / "again" / made.name
        run = self.inspect(made, folder, f"--pretrained_model_name_or_path={TOY}", *words)
        self.assertEqual(run.out.split(), [str(folder / "run.toml"), str(folder / "prompts.toml")])
        again = Run(["train", "--config_file", folder / "run.toml"], ranks)
        self.assertEqual(again.status, 0, again.err)
        self.assertEqual((folder / made.name).read_bytes(), made.read_bytes(), made.name)
        self.assertIn(folder / f"{name}.safetensors", folder.iterdir())
        shutil.rmtree(folder)

    def made(self, output, name="x.safetensors", **flags):
        words = flags.pop("words", [])
        run = Run([*self.arguments(output, **{**SHORT, **flags}), *words], flags.pop("ranks", None))
        self.assertEqual(run.status, 0, run.err)
        return self.folder / output / name

    def test_a_slider_with_network_args_on_several_ranks(self):
        made = self.made("slider", pairs_per_step=3, training_comment='a "remark"\nof two lines', network_dropout=0.1, words=[
            "--network_args", "conv_dim=2", "conv_alpha=1", "rank_dropout=0.2", "down_lr_weight=cosine+0.25", "loraplus_lr_ratio=4"])
        self.repeat(made, ranks=2)

    def test_an_erase_in_yaml(self):
        self.prompts = self.write("erase.yaml", ERASE)
        made = self.made("erase", pairs_per_step=2, seed=2**64 - 1, save_precision="bf16", clip_skip=1, unet_lr=3e-4)
        with safe_open(made, "pt") as file:
            self.assertEqual(file.metadata()["ss_leco_prompts_file"], "erase.yaml")
        self.repeat(made)

    def test_drawn_sizes_seeds_passes_and_threads(self):
        self.prompts = self.write("dynamic.toml", DYNAMIC)
        made = self.made("dynamic", seed=None, pairs_per_step=4, items_per_pass=2, threads=2, noise_offset=0.05,
                         rollout_length="independent", rollout_sampler="euler_a", min_snr_gamma=5, pair_order="random",
                         words=["--lr_scheduler=cosine_with_min_lr", "--lr_warmup_steps=10%", "--lr_scheduler_min_lr_ratio=0.1"])
        self.repeat(made)

    def test_every_kind_of_optimizer_argument(self):
        for name, arguments in OPTIMIZERS.items():
            with self.subTest(optimizer=name):
                rate = 1 if name == "Prodigy" else 1e-3
                self.repeat(self.made(name, optimizer_type=name, learning_rate=rate, words=["--optimizer_args", *arguments.split()]))

    def test_a_file_of_a_step_between(self):
        made = self.made("between", "x-step00000002.safetensors", max_train_steps=3, save_every_n_steps=1, lr_scheduler="cosine")
        self.repeat(made)

    def test_a_run_that_started_from_a_lora(self):
        first = self.made("first", network_dim=3, network_alpha=2)
        made = self.made("second", network_weights=first, dim_from_weights=True)
        self.repeat(made, words=[f"--network_weights={first}"])
        folder = self.folder / "without"
        self.inspect(made, folder, f"--pretrained_model_name_or_path={TOY}")
        run = Run(["train", f"--config_file={folder}/run.toml"])
        self.assertEqual(run.status, 2, "a run without its start must not begin")
        self.assertIn("the LoRA file whose SHA-256 is", run.err)
        refused = self.inspect(made, self.folder / "w", f"--network_weights={made}", status=2)
        self.assertIn("SHA-256", refused.err)
        refused = self.inspect(first, self.folder / "w", f"--network_weights={first}", status=2)
        self.assertIn("not started from a LoRA", refused.err)

    def test_without_the_models_path_the_files_name_its_checksums(self):
        made = self.made("bare")
        folder = self.folder / "bare_run"
        self.inspect(made, folder)
        text = (folder / "run.toml").read_text()
        self.assertNotIn("pretrained_model_name_or_path", tomllib.loads(text))
        with safe_open(made, "pt") as file:
            for name, digest in json.loads(file.metadata()["leco_base_model"]).items():
                self.assertIn(f"#   {digest}  {name}\n", text)
        run = Run(["train", f"--config_file={folder}/run.toml", f"--pretrained_model_name_or_path={TOY}"])
        self.assertEqual(run.status, 0, run.err)
        self.assertEqual((folder / "x.safetensors").read_bytes(), made.read_bytes())

    def check_another_model(self, made):
        other = self.folder / "other"
        shutil.copytree(TOY, other)
        weights = other / "text_encoder/model.safetensors"
        tensors = load_file(weights)
        next(iter(tensors.values())).mul_(1.5)
        save_file(tensors, weights)
        run = self.inspect(made, self.folder / "m", f"--pretrained_model_name_or_path={other}", status=2)
        self.assertIn("text_encoder/model.safetensors", run.err)
        self.assertFalse((self.folder / "m").exists())

    def test_what_cannot_be_made_again_is_refused_with_the_reason(self):
        made = self.made("good", max_train_steps=1)
        self.inspect(made, self.folder / "there")
        self.assertIn("exists already", self.inspect(made, self.folder / "there", status=2).err)
        self.check_another_model(made)
        self.check_changes_are_told(made)
        bare = self.made("nothing", no_metadata=True)
        self.assertIn("leco_settings", self.inspect(bare, self.folder / "n", status=2).err)
        self.assertIn("is a model", self.inspect(TOY, self.folder / "n", status=2).err)
        self.assertIn("--config", self.inspect(made, self.folder / "n", "--json", status=2).err)
        tensors = load_file(made)
        with safe_open(made, "pt") as file:
            metadata = file.metadata()
        for key, value, word in (("leco_settings", '{"network_dmi": "4"}', "network_dmi"),
                                 ("leco_settings", '{"network_dim": "four"}', "four"),
                                 ("leco_settings", '{"optimizer_type": "adamw"}', "adamw"),
                                 ("leco_settings", "[]", "leco_settings"), ("leco_pairs", "[{}]", "leco_pairs"),
                                 ("leco_pairs", "[]", "leco_pairs")):
            with self.subTest(value=value):
                save_file(tensors, self.folder / "odd.safetensors", {**metadata, key: value})
                self.assertIn(word, self.inspect(self.folder / "odd.safetensors", self.folder / "n", status=2).err)

    def check_changes_are_told(self, made):
        tensors = load_file(made)
        with safe_open(made, "pt") as file:
            metadata = file.metadata()
        next(iter(tensors.values())).add_(1)
        save_file(tensors, self.folder / "changed.safetensors", {**metadata, "leco_version": "0.0.1", "leco_recommended_range": "[-1, 1]"})
        run = self.inspect(self.folder / "changed.safetensors", self.folder / "c")
        for word in ("0.0.1", "changed after its training", "leco_recommended_range"):
            self.assertIn(word, run.err)
            self.assertIn(word, (self.folder / "c/run.toml").read_text())


if __name__ == "__main__":
    main()
