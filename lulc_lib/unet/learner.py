"""One network in training, all of it on the device: patches, augmentation, loss, weights.

A step makes no decision on the host, so on a GPU it is recorded once as a CUDA graph, and many
trainings overlap; on a CPU the same steps run one by one.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from lulc_lib.errors import InputError
from lulc_lib.legend import IGNORE_INDEX
from lulc_lib.unet.augment import QUARRY, Augment, StatisticsAugmentation
from lulc_lib.unet.checkpoint import build
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.dataset import CLASSES, PLACES, TrainingSet, patch_places, rock_means
from lulc_lib.unet.device import LAYOUT, autocast, pick_precision
from lulc_lib.unet.inputs import DARKEST, Window, log, surroundings_of
from lulc_lib.unet.loss import FocalLoss, class_weights, not_quarry
from lulc_lib.unet.model import Network

WARM_UP = 0.2
"""Share of the steps in which the one-cycle schedule rises."""

CHECKED = 50
"""Steps after which the loss is looked at."""


class Learner:
    """A network, what it learns from, and how far it is.

    Parameters
    ----------
    data : TrainingSet
        What to learn from.
    config : TrainConfig
        Settings.
    seed : int
        Of the first weights, the patches and their variation.
    device : torch.device
        Where it learns.
    steps : int
        In all.
    """

    def __init__(self, data: TrainingSet, config: TrainConfig, seed: int, device: torch.device,
                 steps: int) -> None:
        self.config, self.seed, self.device, self.steps = config, seed, device, steps
        self.done, self.graph, self.checked = 0, None, 0
        places, shares = patch_places(data, config.patch_size, config.class_balanced_sampling,
                                      np.random.default_rng(seed))
        self.inputs = torch.as_tensor(data.inputs, device=device).permute(0, 2, 3, 1).contiguous()
        self.targets, self.rock, self.places, self.rock_mean = (
            torch.as_tensor(a, device=device)
            for a in (data.targets, data.rock, places, rock_means(data)))
        self.shares = torch.as_tensor(np.cumsum(shares), device=device)
        self.generator = torch.Generator(device).manual_seed(100 * seed + 17)
        self.augment = Augment(config.augment, self.generator) if config.augment else None
        self.statistics = StatisticsAugmentation(
            torch.as_tensor(data.inputs, device=device), config.statistics_augmentation,
            config.statistics_augmentation_share, self.generator,
        ) if config.statistics_augmentation else None
        counts = np.bincount(data.targets.ravel(), minlength=IGNORE_INDEX + 1)[:CLASSES]
        weight = torch.from_numpy(class_weights(counts, config.class_weight_power))
        self.loss = FocalLoss(config.focal_gamma, weight).to(device)
        self.model = build(config, seed).to(device, memory_format=LAYOUT).train()
        self._surroundings()
        self.live = self._numbers(self.model)
        self.mean = [p.detach().clone() for p in self.live]
        self._schedules()

    def _surroundings(self) -> None:
        """Keep what lies around, if the network needs to know it beyond the edges of a patch.

        Two windows: that of the network and one half as large, so that it learns to do with less.
        """
        stage, self.around = self.model.stage, None
        window = stage.surroundings if stage is not None else None
        if window is not None and window.size > 1:
            scenes = self.inputs.permute(0, 3, 1, 2)
            half = Window(window.blocks // 4 * 2 + 1, window.size)
            means = torch.stack([surroundings_of(scenes, w) for w in (window, half)])
            self.around = means.permute(0, 1, 3, 4, 2).contiguous()
            self.block = window.size

    def _with_surroundings(self, x: Tensor, scene: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        """Return patches with ten more channels: the surroundings in one of three extents.

        The third is the patch alone, as where a scene is no larger.
        """
        extent = torch.randint(3, (len(x), 1, 1), device=self.device, generator=self.generator)
        around = self.around[extent.clamp(max=1), scene[:, None, None],
                             rows // self.block, cols // self.block].permute(0, 3, 1, 2)
        own = torch.exp(log(x).mean((2, 3), keepdim=True)) - DARKEST
        around = torch.where(extent[:, None] == 2, own, around)
        return torch.cat([x, around], dim=1)

    def _schedules(self) -> None:
        """Make the optimiser, learning rates, shares of the moving average, and room for losses."""
        config, device = self.config, self.device
        self.precision = pick_precision(config.precision, device)
        at = range(self.steps + 1)
        self.rates = torch.tensor([learning_rate(config, s, self.steps) for s in at], device=device)
        self.new = 1 - torch.tensor([kept_share(config.ema_decay, s) for s in at], device=device)
        self.losses = torch.zeros(self.steps + 1, device=device)
        self.number = torch.zeros(1, dtype=torch.long, device=device)
        self.rate = torch.tensor(config.learning_rate, device=device)
        on_gpu = device.type == "cuda"
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=self.rate if on_gpu else config.learning_rate,
            weight_decay=config.weight_decay, fused=True, capturable=on_gpu)

    @staticmethod
    def _numbers(model: Network) -> list[Tensor]:
        """Return the tensors of a network that a moving average is taken of."""
        return [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]

    def draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw a batch, turned and mirrored.

        Returns
        -------
        x, target, rock : Tensor
            (N, channel, H, W), with ten more channels for surroundings; (N, H, W) int64 class
            indexes; (N, 1, H, W).
        scene : Tensor, (N,)
            Number of each patch's scene.
        """
        count, size = self.config.batch_size, self.config.patch_size

        def uniform() -> Tensor:
            return torch.rand(count, device=self.device, generator=self.generator)

        group = torch.searchsorted(self.shares, uniform()).clamp(max=len(self.shares) - 1)
        scene, top, left = self.places[group, (uniform() * PLACES).long()].long().unbind(1)
        along = torch.arange(size, device=self.device)
        rows, cols = (g.expand(count, size, size)
                      for g in torch.meshgrid(along, along, indexing="ij"))
        turn = torch.randint(8, (count, 1, 1), device=self.device, generator=self.generator)
        rows, cols = torch.where(turn & 1 > 0, cols, rows), torch.where(turn & 1 > 0, rows, cols)
        rows = torch.where(turn & 2 > 0, size - 1 - rows, rows) + top[:, None, None]
        cols = torch.where(turn & 4 > 0, size - 1 - cols, cols) + left[:, None, None]
        at = ((scene[:, None, None] * self.inputs.shape[1] + rows) * self.inputs.shape[2]
              + cols).flatten()
        x, target, rock = (v.flatten(0, 2).index_select(0, at).view(count, size, size, *v.shape[3:])
                           for v in (self.inputs, self.targets, self.rock))
        x = x.permute(0, 3, 1, 2)
        if self.around is not None:
            x = self._with_surroundings(x, scene, rows, cols)
        return x, target.long(), rock[:, None], scene

    def step(self) -> None:
        """Learn from one batch; makes no decision on the host."""
        on_gpu, cover = self.device.type == "cuda", None
        with torch.no_grad():
            x, target, rock, scene = self.draw()
            if self.augment is not None:
                x, target, cover = self.augment(x, target, rock, self.rock_mean[scene])
            if self.statistics is not None:
                x = self.statistics(x, scene)
            self.rate.copy_(self.rates.index_select(0, self.number)[0])
        loss = self._loss(x.contiguous(memory_format=LAYOUT), target, cover)
        self.optimiser.zero_grad(set_to_none=not on_gpu)
        loss.backward()
        if not on_gpu:
            self.optimiser.param_groups[0]["lr"] = float(self.rate)
        self.optimiser.step()
        with torch.no_grad():
            if self.config.ema_decay:
                change = torch._foreach_sub([p.detach() for p in self.live], self.mean)
                torch._foreach_mul_(change, self.new.index_select(0, self.number)[0])
                torch._foreach_add_(self.mean, change)
            self.losses.index_copy_(0, self.number, loss.detach()[None])
            self.number.add_(1)

    def _loss(self, x: Tensor, target: Tensor, cover: Tensor | None) -> Tensor:
        """Return the loss of a batch, a scalar."""
        with autocast(self.device, self.precision):
            logits = self.model(x)
        loss = self.loss(logits.float(), target)
        if cover is None or not self.config.augment.cover:
            return loss
        return loss + self.config.augment.cover_weight * not_quarry(logits.float(), cover, QUARRY)

    def record(self) -> None:
        """Record a step as a CUDA graph (after two steps as they are)."""
        self.stream = torch.cuda.Stream()
        with torch.cuda.stream(self.stream):
            for _ in range(2):
                self.step()
        torch.cuda.synchronize()
        self.done, graph = self.done + 2, torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
            self.step()
        torch.cuda.synchronize()
        self.graph = graph

    def advance(self) -> None:
        """Take one step, from the recording if there is one.

        Raises
        ------
        InputError
            The loss of a step was no finite number.
        """
        if self.graph is None:
            self.step()
        else:
            with torch.cuda.stream(self.stream):
                self.graph.replay()
        self.done += 1
        if self.done % CHECKED == 0 or self.done == self.steps:
            self.check()

    def check(self) -> None:
        """Raise InputError if a loss since the last check, or a weight, is no finite number."""
        if self.graph is not None:
            self.stream.synchronize()
        bad = ~torch.isfinite(self.losses[self.checked:self.done])
        if bad.any():
            step = self.checked + int(bad.nonzero()[0, 0]) + 1
            raise InputError(
                f"training {self.config.name}, seed {self.seed}: the loss of step {step} of "
                f"{self.steps} is {float(self.losses[step - 1])}; inputs must be finite and "
                f"learning_rate ({self.config.learning_rate:g}) low enough, try a third of it")
        if not all(bool(t.isfinite().all()) for t in (*self.live, *self.mean)):
            raise InputError(
                f"training {self.config.name}, seed {self.seed}: after step {self.done} of "
                f"{self.steps} the weights are no finite numbers; inputs must be finite and "
                f"learning_rate ({self.config.learning_rate:g}) low enough, try a third of it")
        self.checked = self.done

    def averaged(self) -> Network:
        """Return the network that makes maps: a copy with the weights' moving average, if any."""
        model = copy.deepcopy(self.model)
        if self.config.ema_decay:
            with torch.no_grad():
                for number, mean in zip(self._numbers(model), self.mean, strict=True):
                    number.copy_(mean)
        return model.eval()

    def state(self) -> dict[str, object]:
        """Return all that a stopped training needs to go on, besides data and settings."""
        return {"learning": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
                "mean": [m.cpu() for m in self.mean], "losses": self.losses.cpu(),
                "generator": self.generator.get_state(), "done": self.done}

    def restore(self, state: dict[str, object]) -> None:
        """Go back to a :meth:`state`."""
        self.model.load_state_dict(state["learning"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.losses[:len(state["losses"])] = state["losses"][:len(self.losses)].to(self.device)
        with torch.no_grad():
            for mine, theirs in zip(self.mean, state["mean"], strict=True):
                mine.copy_(theirs)
            self.number.fill_(state["done"])
        self.done = self.checked = int(state["done"])


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Return the learning rate of a step: constant, or up in a line and down in half a cosine.

    Examples
    --------
    >>> config = TrainConfig("example", base_channels=4, learning_rate=0.01)
    >>> [round(learning_rate(config, s, 100), 4) for s in (0, 19, 20, 60, 99)]
    [0.0005, 0.01, 0.01, 0.005, 0.0]
    """
    if config.schedule == "constant":
        return config.learning_rate
    rise = max(round(WARM_UP * total), 1)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    done = (step - rise) / max(total - rise, 1)
    return config.learning_rate * (1 + math.cos(math.pi * done)) / 2


def kept_share(decay: float, step: int) -> float:
    """Return how much of the moving average of the weights stays at a step, the first being 0.

    After n steps at most (n + 1) / (n + 10) stays, so that the first weights, which were drawn at
    random, are soon forgotten also in a short run.
    """
    return min(decay, (step + 1) / (step + 10)) if step else 0.0


def run_together(learners: Sequence[Learner], over: Callable[[], bool] = lambda: False) -> None:
    """Take all steps of all learners, in turns, until done or ``over()``; on a GPU they overlap."""
    on_gpu = learners[0].device.type == "cuda"
    for learner in learners if on_gpu else ():
        if learner.graph is None:
            learner.record()
    while any(t.done < t.steps for t in learners) and not over():
        for learner in learners:
            if learner.done < learner.steps:
                learner.advance()
        if on_gpu and learners[0].done % 25 == 0:
            torch.cuda.synchronize()
    if on_gpu:
        torch.cuda.synchronize()
