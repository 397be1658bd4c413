"""What a user can do wrong: one line that says what and where, status 2, before anything is loaded or written.

usage: bad_input_test.py MPIEXEC LECO
"""
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

from leco_runs import LECO_LINE, LecoTest, Run, SLIDER, TOY, main
from safetensors.torch import load_file, save_file

SECONDS = 30  # nothing large is read before; alone it takes half a second, but the machine may be busy
UNET = "unet/diffusion_pytorch_model.safetensors"


class BadInputTest(LecoTest):
    def check(self, cases, ranks=None):
        """cases: list of (arguments, texts that the line must hold)."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = list(pool.map(lambda case: Run(case[0], ranks), cases))
        for (arguments, texts), run in zip(cases, runs):
            with self.subTest(" ".join(map(str, arguments[-1:])), ranks=ranks):
                lines = [line for line in run.err.splitlines() if LECO_LINE.match(line)] if ranks else run.err.splitlines()
                self.assertEqual(len(lines), 1, run.err)
                self.assertEqual(run.status, 2, run.err)
                self.assertEqual(run.out, "")
                self.assertLess(run.seconds, SECONDS)
                for text in (" error: ", *texts):
                    self.assertIn(text, lines[0])

    def flags(self, **flags):
        return self.arguments("out", **flags)

    def model(self, name, file, change):
        """The toy model in a folder of its own, with one file that change(path) breaks."""
        folder = self.folder / name
        shutil.copytree(TOY, folder, copy_function=os.symlink)
        path = folder / file
        path.unlink()
        shutil.copyfile(TOY / file, path)
        change(path)
        return folder

    def test_command_lines(self):
        broken = self.write("broken.toml", "[[prompts]]\ntarget = \"a\nresolution = 64\n")
        empty = self.write("empty.toml", "")
        unknown = self.write("unknown.toml", SLIDER + "guidence_scale = 1\n")
        odd = self.write("odd.toml", SLIDER.replace("= 64", "= 500"))
        infinite = self.write("infinite.toml", SLIDER.replace("scale = 2", "scale = inf"))
        nothing = self.write("nothing.toml", "[[prompts]]\npositive = \"a\"\n")
        twice = self.write("twice.yaml", "- target: a\n  target: b\n")
        bomb = self.write("bomb.yaml", "a0: &a0 [x, x]\n" + "".join(
            f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)))
        deep = self.write("deep.yaml", "a: " + "[" * 400000)
        anchors = self.write("anchors.yml", "config:\n  process:\n  - type: slider\n    slider:\n"
                             "      anchors: [{prompt: x}]\n      targets: [{target_class: a, positive: b}]\n")
        flags_file = self.write("flags.toml", "[training]\nmax_train_stepz = 3\n")
        self.check([
            ([], ["no subcommand", "train"]),
            (["tarin"], ["unknown subcommand 'tarin'", "train"]),
            (["--verbose"], ["--verbose"]),
            (["train"], ["--prompts_file is missing"]),
            (self.flags(pretrained_model_name_or_path=None), ["--pretrained_model_name_or_path is missing"]),
            (self.flags(output_dir=None), ["--output_dir is missing"]),
            (self.flags(netwrk_dim=4), ["unknown flag --netwrk_dim", "--network_dim"]),
            (self.flags(network_dim=-4), ["--network_dim=-4", "from 1 to"]),
            (self.flags(network_dim="four"), ["--network_dim=four"]),
            (self.flags() + ["--network_args", "conv_dims=4"], ["'conv_dims' is none of the arguments", "did you mean conv_dim?"]),
            (self.flags() + ["--network_args", "block_dims=4,4"], ["block_dims: 2 values were given", "SD 1.x has 25 blocks"]),
            (self.flags() + ["--network_args", "block_dims=" + ",".join("0" * 25)], ["no module to train", "attn1.to_q"]),
            (self.flags(dim_from_weights=True, network_weights=TOY / UNET), ["--dim_from_weights", "holds no module of this U-Net"]),
            (self.flags(learning_rate="nan"), ["--learning_rate=nan", "finite"]),
            (self.flags(learning_rate="1e999"), ["--learning_rate=1e999", "finite"]),
            (self.flags(seed="-1"), ["--seed=-1"]),
            (self.flags(max_denoising_steps=1), ["--max_denoising_steps=1"]),
            (self.flags(max_train_epochs=3), ["--max_train_epochs=3 is refused"]),
            (self.flags(device="cuda"), ["--device"]),
            (self.flags(device="tpu"), ["--device=tpu"]),
            (self.flags(output_name="a/b"), ["--output_name=a/b"]),
            (self.flags(output_name="x" * 300), ["--output_name=xxx", "180 bytes"]),
            (self.flags() + ["word"], ["stray word 'word'"]),
            (self.flags() + ["--network_dim"], ["--network_dim needs a value"]),
            (self.flags(prompts_file="/no/such.toml"), ["no such file: '/no/such.toml'"]),
            (self.flags(prompts_file=self.folder), ["must end in .toml"]),
            (self.flags(prompts_file=empty), ["empty.toml"]),
            (self.flags(prompts_file=broken), ["broken.toml, line 2"]),
            (self.flags(prompts_file=unknown), ["unknown.toml, line 8", "guidence_scale", "guidance_scale"]),
            (self.flags(prompts_file=odd), ["odd.toml, line 3", "500", "multiple of 8"]),
            (self.flags(prompts_file=infinite), ["infinite.toml, line 2", "finite"]),
            (self.flags(prompts_file=nothing), ["nothing.toml", "target"]),
            (self.flags(prompts_file=twice), ["twice.yaml, line 2", "'target' is set twice"]),
            (self.flags(prompts_file=bomb), ["bomb.yaml, line", "100000 values"]),
            (self.flags(prompts_file=deep), ["deep.yaml, line 1"]),
            (self.flags(prompts_file=anchors), ["anchors.yml, line 5", "'anchors' is refused"]),
            (["train", "--config_file=/no/such"], ["no such file: '/no/such.toml'"]),
            (["train", f"--config_file={flags_file}"], ["flags.toml, line 2", "max_train_stepz", "max_train_steps"]),
        ])
        self.assertFalse((self.folder / "out").exists(), "a mistake leaves no folder")

    def test_models_that_are_none(self):
        def change_config(**entries):
            return lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))

        def without_tensor(path):
            tensors = load_file(path)
            del tensors["conv_out.weight"]
            save_file(tensors, path)

        def with_other_shape(path):
            save_file({**load_file(path), "conv_in.bias": load_file(path)["conv_in.bias"][:7].clone()}, path)

        def cut(path):
            os.truncate(path, path.stat().st_size - 1000)

        def emptied(path):
            path.write_bytes(b"")

        def text_tensor_missing(path):
            tensors = load_file(path)
            del tensors["text_model.final_layer_norm.bias"]
            save_file(tensors, path)

        text = "text_encoder/model.safetensors"
        models = [
            ("missing_tensor", UNET, without_tensor, ["has no tensor 'conv_out.weight'"]),
            ("other_shape", UNET, with_other_shape, ["'conv_in.bias' has shape [7]", "[32]"]),
            ("cut", UNET, cut, [UNET]),
            ("empty_weights", UNET, emptied, [UNET]),
            ("no_weights", UNET, os.unlink, ["no such file", UNET]),
            ("no_config", "unet/config.json", os.unlink, ["no unet/config.json"]),
            ("broken_config", "unet/config.json", lambda path: path.write_text("{"), ["unet/config.json", "JSON"]),
            ("sd2", "unet/config.json", change_config(use_linear_projection=True), ["shape", "proj_in"]),
            ("other_type", "unet/config.json", change_config(mid_block_type="UNetMidBlock2D"), ["mid_block_type"]),
            ("other_width", "unet/config.json", change_config(block_out_channels=[32, 64, 64, 128]), ["shape"]),
            ("bad_heads", "unet/config.json", change_config(attention_head_dim=5), ["config.json", "attention_head_dim"]),
            ("no_vocab", "tokenizer/vocab.json", os.unlink, ["no such file", "vocab.json"]),
            ("text_cut", text, cut, [text]),
            ("text_tensor", text, text_tensor_missing, ["has no tensor 'text_model.final_layer_norm.bias'"]),
            ("text_width", "text_encoder/config.json", change_config(hidden_size=64), ["text encoders give 64"]),
        ]
        cases = [(self.flags(pretrained_model_name_or_path=self.model(name, file, change)), texts)
                 for name, file, change, texts in models]
        cases += [(self.flags(pretrained_model_name_or_path="/no/such"), ["no such model: '/no/such'"]),
                  (self.flags(pretrained_model_name_or_path=self.prompts), ["slider.toml"]),
                  (self.flags(pretrained_model_name_or_path=self.folder), ["no unet/config.json"])]
        self.check(cases)

    def test_output_folders_that_cannot_be_written(self):
        taken = self.folder / "taken"
        (taken / "x.safetensors").mkdir(parents=True)
        self.check([
            (self.flags(output_dir="/proc/leco"), ["--output_dir=/proc/leco: the folder cannot be written: "]),
            (self.flags(output_dir=self.prompts), ["--output_dir=", "slider.toml"]),
            (self.flags(output_dir=self.prompts / "below"), ["--output_dir=", "Not a directory"]),
            (self.flags(output_dir=taken), ["x.safetensors' is a folder"]),
        ])

    def test_network_weights_that_do_not_fit(self):
        self.train("start", max_train_steps=1)
        start = self.folder / "start" / "x.safetensors"
        fewer, more, shorter = (self.folder / f"{name}.safetensors" for name in ("fewer", "more", "shorter"))
        tensors = load_file(start)
        name = next(key for key in tensors if key.endswith("lora_up.weight"))
        save_file({key: tensor for key, tensor in tensors.items() if key != name}, fewer)
        save_file({**tensors, "lora_te_x.alpha": tensors[name].clone()}, more)
        shutil.copyfile(start, shorter)
        os.truncate(shorter, 1000)
        self.check([
            (self.flags(network_weights=start, network_dim=8), ["has rank 4", "--network_dim=8", "--dim_from_weights"]),
            (self.flags(network_weights=start, network_alpha=1), ["alpha 4", "--network_alpha=1", "--dim_from_weights"]),
            (self.flags(network_weights=fewer), ["has no tensor", name]),
            (self.flags(network_weights=more), ["lora_te_x.alpha"]),
            (self.flags(network_weights=shorter), ["shorter.safetensors"]),
            (self.flags(network_weights=TOY / UNET), ["has no tensor"]),
            (self.flags(network_weights="/no/such"), ["/no/such"]),
        ])

    def test_many_ranks_say_it_once(self):
        cases = [
            ([], ["no subcommand"]),
            (["tarin"], ["unknown subcommand 'tarin'"]),
            (self.flags(network_dim=-4), ["--network_dim=-4"]),
            (self.flags(prompts_file="/no/such.toml"), ["no such file: '/no/such.toml'"]),
            (self.flags(output_dir="/proc/leco"), ["--output_dir=/proc/leco"]),
            (self.flags(pretrained_model_name_or_path=self.model("cut", UNET, lambda path: os.truncate(path, 9999))), [UNET]),
        ]
        for case in cases:
            self.check([case], ranks=2)


if __name__ == "__main__":
    main()
