"""Models in the forms that people have, trained on several ranks: the same bytes as from the folder on one.

usage: models_test.py MPIEXEC LECO
"""
import os
import pathlib
import sys
from unittest import mock

import torch
from safetensors.torch import save_file

from leco_runs import LecoTest, Run, main

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))
import single_files  # noqa: E402


class ModelsTest(LecoTest):
    def setUp(self):
        super().setUp()
        self.pipeline = single_files.make("sd1")

    def folder_of(self, name, **how):
        single_files.save_folder(self.pipeline, self.folder / name, **how)
        return self.folder / name

    def lora_of(self, output, model, ranks=None, **flags):
        # The hash of the model's files is in the metadata and differs from form to form.
        self.train(output, ranks, pretrained_model_name_or_path=model, max_train_steps=1, pairs_per_step=2,
                   no_metadata=True, **flags)
        return self.files(output)["x.safetensors"]

    def test_every_form_gives_the_same_lora_on_every_number_of_ranks(self):
        expected = self.lora_of("alone", self.folder_of("model"))
        tensors = {name: tensor.contiguous() for name, tensor in single_files.single_file(self.pipeline).items()}
        save_file(tensors, self.folder / "model.safetensors")
        torch.save({"state_dict": tensors}, self.folder / "model.ckpt")
        shards = self.folder_of("shards", max_shard_size="200KB")
        self.assertGreater(len(list((shards / "unet").glob("*.safetensors"))), 2)
        for model, ranks in ((self.folder / "model.safetensors", 2), (self.folder / "model.ckpt", 3), (shards, 2)):
            self.assertTrue(self.lora_of(f"{model.name}-{ranks}", model, ranks) == expected, (model, ranks))

    def test_a_hub_id_means_the_snapshot_in_the_cache(self):
        self.pipeline.to(torch.float16)
        expected = self.lora_of("alone", self.folder_of("model"))
        repository = self.folder / "hub" / "models--somebody--small-model"
        commit = "0123456789abcdef0123456789abcdef01234567"
        self.folder_of(f"hub/{repository.name}/snapshots/{commit}", variant="fp16")
        (repository / "refs").mkdir()
        (repository / "refs/main").write_text(commit)
        with mock.patch.dict(os.environ, HF_HUB_CACHE=str(self.folder / "hub")):
            self.assertTrue(self.lora_of("hub-lora", "somebody/small-model", ranks=2) == expected)
            run = Run(self.arguments("none", pretrained_model_name_or_path="somebody/other"), ranks=2)
        self.assertEqual((run.status, len(run.errors())), (2, 1), run.err)
        for part in ("somebody/other", str(self.folder / "hub"), "hf download somebody/other"):
            self.assertIn(part, run.errors()[0])


if __name__ == "__main__":
    main()
