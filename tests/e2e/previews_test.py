"""Pictures while training: which files, what is in them, and that the training does not notice.

usage: previews_test.py MPIEXEC LECO
"""
import shutil
import signal

import numpy as np
from leco_runs import TOY, Going, LecoTest, Run, main
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

LINES = """# two sizes, so that they stand in grids of their own
a big red circle --w 64 --h 64 --s 4 --l 2 --ss euler_a
a blue square --n circle --w 128 --h 128 --s 3 --d 5 --m -1,0.5
"""
FRAME = 0xD4  # the grey line around each picture of a grid


def cells(path, width, factor):
    """The pictures of a grid of one row, enlarged as they stand there."""
    sheet = np.asarray(Image.open(path))
    middle = sheet[sheet.shape[0] - 40]  # a line through the pictures
    edges = [x for x in range(1, len(middle)) if (middle[x] == FRAME).all()]
    lefts = [x + 1 for x in edges if x + 1 + width * factor in edges]
    return [sheet[-60:-30, left : left + width * factor] for left in lefts]


class PreviewsTest(LecoTest):
    def setUp(self):
        super().setUp()
        self.lines = self.write("draw.txt", LINES)

    def previews(self, output):
        folder = self.folder / output / "sample"
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def test_the_training_does_not_notice_and_ranks_draw_the_same(self):
        flags = {"pairs_per_step": 3, "max_train_steps": 2, "save_every_n_steps": 1}
        self.train("without", **flags)
        flags |= {"sample_every_n_steps": 1, "sample_at_first": True, "sample_prompts": self.lines}
        run = self.train("alone", **flags)
        self.assertTrue(self.files("alone") == self.files("without"), "the training noticed")
        self.assertEqual(self.metrics("alone"), self.metrics("without"))
        names = [f"x-step{step:08}-{index:02}.png" for step in (0, 1, 2) for index in (0, 1)]
        self.assertEqual(sorted(self.previews("alone")), sorted([*names, "x-growth.gif"]))
        self.assertEqual(run.err.count("drew 2 previews of step"), 3)
        self.assertEqual(run.out.splitlines()[-1], str(self.folder / "alone" / "sample" / "x-growth.gif"))
        for ranks in (2, 3):
            self.train(f"ranks{ranks}", ranks=ranks, **flags)
            self.assertTrue(self.files(f"ranks{ranks}") == self.files("without"))
            self.assertTrue(self.previews(f"ranks{ranks}") == self.previews("alone"), f"{ranks} ranks draw otherwise")

    def test_a_file_shows_the_scales_and_says_how_it_was_drawn(self):
        self.train("x", sample_every_n_steps=6, sample_at_first=True, sample_prompts=self.lines, max_train_steps=6,
                   learning_rate=1e-2)
        folder = self.folder / "x" / "sample"
        first, last = (cells(folder / f"x-step{step:08}-00.png", 64, 3) for step in (0, 6))
        self.assertEqual((len(first), len(last)), (3, 3))
        for picture in first[1:]:
            self.assertTrue(np.array_equal(picture, first[0]), "a fresh LoRA changes nothing")
        self.assertTrue(np.array_equal(last[1], first[1]), "at scale 0 there is no LoRA")
        for picture in (last[0], last[2]):
            self.assertFalse(np.array_equal(picture, last[1]))
        self.assertEqual(len(cells(folder / "x-step00000006-01.png", 128, 2)), 2)
        texts = Image.open(folder / "x-step00000006-00.png").text
        self.assertEqual({name: texts[name] for name in ("prompt", "seed", "sample_steps", "sample_sampler", "scale",
                                                         "multiplier", "width", "step")},
                         {"prompt": "a big red circle", "seed": "1", "sample_steps": "4", "sample_sampler": "euler_a",
                          "scale": "2", "multiplier": "-1,0,1", "width": "64", "step": "6"})
        texts = Image.open(folder / "x-step00000006-01.png").text
        self.assertEqual((texts["seed"], texts["negative_prompt"], texts["multiplier"]), ("5", "circle", "-1,0.5"))
        with Image.open(folder / "x-growth.gif") as growth:
            self.assertEqual((growth.n_frames, growth.info["loop"]), (2, 0))
            self.assertGreater(growth.size[1], 500)  # both grids, one below the other

    def test_the_growth_of_a_run_that_goes_on_is_that_of_one_that_was_not_stopped(self):
        draws = {"sample_every_n_steps": 1, "sample_at_first": True, "sample_prompts": self.lines, "learning_rate": 1e-2,
                 "save_state_on_train_end": True}
        self.train("whole", max_train_steps=3, **draws)
        self.train("half", max_train_steps=2, **draws)
        (self.folder / "half" / "sample" / "x-step00000009-00.png").write_bytes(b"of another run")
        self.train("half", max_train_steps=3, resume="auto", **draws)
        growth = [self.previews(output)["x-growth.gif"] for output in ("half", "whole")]
        self.assertEqual(*growth)
        with Image.open(self.folder / "half" / "sample" / "x-growth.gif") as gif:
            self.assertEqual(gif.n_frames, 4)
        (self.folder / "half" / "sample" / "x-step00000001-00.png").unlink()
        self.train("half", max_train_steps=4, resume="auto", **draws)
        with Image.open(self.folder / "half" / "sample" / "x-growth.gif") as gif:
            self.assertEqual(gif.n_frames, 4, "what is not there is left out")
        wide = self.write("wide.txt", "a big red circle --w 128 --h 64 --s 2\n")
        self.train("half", max_train_steps=5, resume="auto", **{**draws, "sample_prompts": wide})
        with Image.open(self.folder / "half" / "sample" / "x-growth.gif") as gif:
            self.assertEqual(gif.n_frames, 2, "only steps 4 and 5 were drawn in this size")

    def test_averaged_weights_are_drawn_and_saved_where_the_optimizer_keeps_them(self):
        draws = {"sample_prompts": self.lines, "max_train_steps": 3, "learning_rate": 1e-2}
        words = ["--optimizer_type=AdamWScheduleFree", "--optimizer_args", "betas=0.5,0.99"]
        for output, flags in (("x", {"sample_every_n_steps": 3}),
                              ("again", {"sample_at_first": True, "network_weights": self.folder / "x/x.safetensors"})):
            run = Run(self.arguments(output, **draws, **flags) + words)
            self.assertEqual(run.status, 0, run.err)
        last, first = (cells(self.folder / output / "sample" / f"x-step{step:08}-00.png", 64, 3)
                       for output, step in (("x", 3), ("again", 0)))
        self.assertFalse(np.array_equal(last[0], last[1]))
        for drawn_in_training, drawn_from_file in zip(last, first, strict=True):
            self.assertTrue(np.array_equal(drawn_in_training, drawn_from_file))

    def test_tensorboard_shows_them(self):
        logs = self.folder / "logs"
        self.train("x", sample_every_n_steps=1, sample_prompts=self.lines, max_train_steps=2, logging_dir=logs)
        events = EventAccumulator(str(next(logs.glob("*/leco_train"))), size_guidance={"images": 0})
        events.Reload()
        self.assertEqual([image.step for image in events.Images("preview/01")], [1, 2])
        image = events.Images("preview/00")[1]
        with Image.open(self.folder / "x" / "sample" / "x-step00000002-00.png") as written:
            self.assertEqual((image.width, image.height), written.size)
        self.assertTrue(image.encoded_image_string.startswith(b"\x89PNG"))
        self.assertEqual([point.step for point in events.Scalars("seconds/preview")], [1, 2])

    def test_a_stop_leaves_no_broken_file(self):
        for sent in (signal.SIGTERM, signal.SIGKILL):
            output = f"stopped{sent}"
            job = Going(self.folder, self.arguments(output, sample_every_n_steps=1, sample_prompts=self.lines,
                                                    max_train_steps=10000))
            self.addCleanup(job.stop)
            folder = self.folder / output / "sample"
            job.wait_for(lambda: folder.exists() and len(list(folder.glob("x-step*.png"))) > 4)
            job.signal(sent)
            self.assertEqual(job.finish()[0], 85 if sent == signal.SIGTERM else -sent, job.err())
            for path in folder.glob("*.png"):
                Image.open(path).load()
            if sent == signal.SIGTERM:
                self.assertEqual([path.name for path in folder.iterdir() if ".tmp-" in path.name], [])

    def test_what_cannot_be_drawn_is_refused_before_the_training(self):
        bare = self.folder / "bare"
        shutil.copytree(TOY, bare, ignore=shutil.ignore_patterns("vae"))
        for flags, words in (
                ({"sample_prompts": self.write("a.txt", "cat\ncat --cn x.png\n")}, "a.txt, line 2: --cn"),
                ({"sample_prompts": self.write("b.txt", "cat --ss heun\n")}, "b.txt, line 1: there is no sampler 'heun'"),
                ({"sample_prompts": self.write("c.txt", "cat --ss dpm++2m --s 1000\n")}, "c.txt, line 1: 1000 steps"),
                ({"sample_prompts": self.folder / "none.txt"}, "none.txt"),
                ({"sample_prompts": self.lines, "pretrained_model_name_or_path": bare}, "VAE"),
                ({"sample_prompts": self.lines, "vae": self.folder / "gone"}, "gone")):
            run = Run(self.arguments("y", sample_at_first=True, **flags), ranks=2)
            self.assertEqual((run.status, len(run.errors())), (2, 1), run.err)
            self.assertIn(words, run.errors()[0])


if __name__ == "__main__":
    main()
