"""Every protocol's counts for one network or ensemble on what a fold holds out, and elsewhere."""

from __future__ import annotations

import base64
import zlib
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from experiments.protocol_scenes import ROCKS, Scenes, open_sea, unbroken_cloud
from lulc_lib import legend
from lulc_lib.accuracy.calibration import BINS, TEMPERATURES
from lulc_lib.accuracy.splits import Fold
from lulc_lib.unet import applicability
from lulc_lib.unet.augment import QUARRY
from lulc_lib.unet.config import TrainConfig
from lulc_lib.unet.dataset import CLASSES, rock_share
from lulc_lib.unet.device import pick_device
from lulc_lib.unet.inputs import FIXED_INPUTS
from lulc_lib.unet.model import Ensemble
from lulc_lib.unet.normalise import REFLECTANCE_UNIT, SMALLEST_SD
from lulc_lib.unet.predict import Predictor

IGNORE = legend.IGNORE_INDEX
GRID = 16
"""Scenes are extended to a multiple of this many pixels, by repeating their edge."""

SHORE = 4
"""Pixels beside the pasted sea that do not count."""


class Mapper:
    """From reflectance to logits by an ensemble of networks of one kind of input.

    Parameters
    ----------
    models : list of Network
        Trained.
    config : TrainConfig
        Of the first; the others have the same normalisation, or another fixed input.
    """

    def __init__(self, models: list[nn.Module], config: TrainConfig) -> None:
        self.model, self.name = Ensemble(models).eval(), config.normalisation
        self.device = next(self.model.parameters()).device

    @staticmethod
    def inputs(name: str, reflectance: Tensor) -> Tensor:
        """Return (N, 10, H, W) network input by a normalisation's name; each scene by itself."""
        if name in FIXED_INPUTS:
            return reflectance
        if name == "reflectance":
            return reflectance / REFLECTANCE_UNIT
        mean = reflectance.mean((2, 3), keepdim=True)
        sd = reflectance.std((2, 3), correction=0, keepdim=True).clamp_min(SMALLEST_SD)
        return (reflectance - mean) / sd

    @torch.no_grad()
    def logits(self, reflectance: NDArray | Tensor) -> Tensor:
        """Return (N, classes, row, col) of (N, 10, row, col) reflectance, a few at a time."""
        x = torch.as_tensor(reflectance, dtype=torch.float32, device=self.device)
        rows, cols = x.shape[-2:]
        few = max(4 * 401**2 // (rows * cols), 1)
        parts = []
        for i in range(0, len(x), few):
            part = self.inputs(self.name, x[i:i + few])
            part = functional.pad(part, (0, -cols % GRID, 0, -rows % GRID), mode="replicate")
            parts.append(self.model(part)[..., :rows, :cols].float())
        return torch.cat(parts)

    def classes(self, reflectance: NDArray | Tensor) -> Tensor:
        """Return (N, row, col) class indexes."""
        return self.logits(reflectance).argmax(1)

    @torch.no_grad()
    def classes_and_features(
        self, scene: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (row, col) class indexes of one scene, (feature, row, col) of the last layers."""
        x = self.inputs(self.name, torch.as_tensor(scene[None], dtype=torch.float32))[0].numpy()
        seen = Predictor(self.model, features=True).whole(x)
        return seen.probabilities.argmax(axis=0), seen.features


class Assessment:
    """What a fold is assessed on; made once, used for every network.

    Parameters
    ----------
    data : Scenes
        All scenes and labels.
    fold : Fold
        What was held out.
    """

    def __init__(self, data: Scenes, fold: Fold) -> None:
        self.data, self.fold, self.device = data, fold, pick_device()
        self.held = [i for i, d in enumerate(data.dates) if d in fold.dates or not fold.dates]
        target = torch.as_tensor(data.targets[self.held].astype(np.int64), device=self.device)
        region = torch.as_tensor(fold.region, device=self.device)
        parts = {"place_known": target.masked_fill(region, IGNORE),
                 "place_held_out": target.masked_fill(~region, IGNORE)}
        if not fold.dates:  # a place alone: what lies outside was trained on
            del parts["place_known"]
        self.parts = {k: v for k, v in parts.items() if (v != IGNORE).any()}
        self.target, self.scene = target, data.scenes[self.held[0]]

    def held_out_only(self, mapper: Mapper) -> dict[str, list[list[int]]]:
        """Return the confusion matrices of the held-out labels alone, a quick look."""
        mapped = mapper.classes(self.data.scenes[self.held])
        return {k: confusion(mapped, t) for k, t in self.parts.items()}

    def scores(self, mapper: Mapper, reliability: bool = False) -> dict[str, object]:
        """Return every protocol's counts."""
        logits = mapper.logits(self.data.scenes[self.held])
        mapped = logits.argmax(1)
        found: dict[str, object] = {
            "confusion": {k: confusion(mapped, t) for k, t in self.parts.items()},
            "clusters": {k: self._by_cluster(mapped, t) for k, t in self.parts.items()},
            "rocks": self._other_rocks(mapper), "synthetic_rocks": self._synthetic(mapper),
            "clips": {str(s): self._clips(mapper, mapped[0], s) for s in (64, 128, 200)},
            "covers": self._covers(mapper)}
        if reliability:
            found["reliability"] = {k: reliability_tables(logits, t)
                                    for k, t in self.parts.items()}
        return found

    def packed_map(self, mapper: Mapper) -> str:
        """Return the map of the first held-out date: class indexes, zlib, base64."""
        mapped = mapper.classes(self.scene[None])[0].byte().cpu().numpy()
        return base64.b64encode(zlib.compress(mapped.tobytes(), 9)).decode()

    @cached_property
    def _cluster(self) -> Tensor:
        """(row, col) number of the label cluster of each pixel, for polygon bootstraps."""
        return torch.as_tensor(self.data.clusters.astype(np.int64), device=self.device)

    def _by_cluster(self, mapped: Tensor, target: Tensor) -> list[list[int]]:
        """Return [cluster, map class, reference class, pixels], all held-out dates together."""
        at = target != IGNORE
        cluster = self._cluster.expand(target.shape)[at]
        pairs = (cluster * CLASSES + mapped[at].long()) * CLASSES + target[at].long()
        counts = torch.bincount(pairs)
        where = counts.nonzero()[:, 0]
        rows = [where // CLASSES**2, where // CLASSES % CLASSES, where % CLASSES, counts[where]]
        return torch.stack(rows, dim=1).tolist()

    @cached_property
    def _rocks(self) -> Tensor:
        """(rock, 10, row, col): the first held-out date with its quarries in other rocks."""
        codes, quarries = self.data.targets[self.held[0]], (self.data.targets == QUARRY).any(axis=0)
        scene, share = (torch.as_tensor(v, device=self.device)
                        for v in (self.scene, rock_share(self.scene, codes, quarries)))
        usual = torch.as_tensor(self.scene[:, codes == QUARRY].mean(1), device=self.device)
        relative = (scene.clamp_min(0.004) / usual[:, None, None]).clamp(0.1, 6)
        spectra = torch.tensor(list(ROCKS.values()), device=self.device)
        return torch.stack([scene + share * (s[:, None, None] * relative - scene)
                            for s in spectra])

    @cached_property
    def _scenes_of_covers(self) -> dict[str, NDArray[np.float32]]:
        """Scenes without a quarry: from elsewhere, open sea, unbroken cloud."""
        return {**self.data.elsewhere, "sea": open_sea((256, 256)),
                "cloud": unbroken_cloud((256, 256))}

    @cached_property
    def _coasts(self) -> dict[int, NDArray[np.float32]]:
        """The first held-out date with its west under open sea, by percent of its width."""
        coasts = {}
        for percent in (10, 41):
            width = self.scene.shape[2] * percent // 100
            coasts[width] = self.scene.copy()
            coasts[width][:, :, :width] = open_sea((self.scene.shape[1], width))
        return coasts

    def _other_rocks(self, mapper: Mapper) -> dict[str, list[int]]:
        """Per rock: quarry pixels mapped so, quarry pixels, others mapped as quarry, others."""
        target = self.target[0]
        if not (target == QUARRY).any():
            return {}
        hits = mapper.classes(self._rocks) == QUARRY
        return {k: _four(h, target == QUARRY, (target != IGNORE) & (target != QUARRY))
                for k, h in zip(ROCKS, hits, strict=True)}

    def _synthetic(self, mapper: Mapper) -> dict[str, list[int]]:
        """As :meth:`_other_rocks`, for synthetic landscapes whose every pixel is known."""
        found = {}
        for name, scene in self.data.rocks.items():
            truth = torch.as_tensor(self.data.truths[name].astype(np.int64), device=self.device)
            hit = mapper.classes(scene[None])[0] == QUARRY
            found[name] = _four(hit, truth == QUARRY, (truth != QUARRY) & (truth != IGNORE))
        return found

    def _clips(self, mapper: Mapper, whole: Tensor, size: int) -> list[float]:
        """Clips mapped alone and the whole scene on the same pixels.

        Returns overall accuracies, then quarry pixels mapped where none is, and the share of pixels
        that differ.
        """
        edge = min(self.scene.shape[1:]) // size * size
        tiles = torch.as_tensor(self.scene[:, :edge, :edge])
        tiles = tiles.unfold(1, size, size).unfold(2, size, size)
        count = tiles.shape[1]
        tiles = tiles.permute(1, 2, 0, 3, 4).reshape(count * count, len(self.scene), size, size)
        mapped = mapper.classes(tiles).reshape(count, count, size, size)
        mapped = mapped.permute(0, 2, 1, 3).reshape(edge, edge)
        target, whole = self.target[0, :edge, :edge], whole[:edge, :edge]
        at, other = target != IGNORE, (target != IGNORE) & (target != QUARRY)
        accuracy = [float((m == target)[at].float().mean()) for m in (mapped, whole)]
        false = [int(((m == QUARRY) & other).sum()) for m in (mapped, whole)]
        return [*accuracy, *false, float((mapped != whole).float().mean())]

    def _covers(self, mapper: Mapper) -> dict[str, list[float]]:
        """Share of each class on scenes without a quarry, and on the sea of pasted coasts."""
        shares = {k: _class_shares(mapper.classes(v[None]))
                  for k, v in self._scenes_of_covers.items()}
        for width, scene in self._coasts.items():
            mapped = mapper.classes(scene[None])[..., :width - SHORE]
            shares[f"coast_{round(100 * width / scene.shape[2])}"] = _class_shares(mapped)
        return shares

    def applicability(self, mapper: Mapper, step: int = 3) -> dict[str, object]:
        """Return threshold, and share outside and error rates on held-out labels and covers."""
        features, groups = [], []
        for number, date in enumerate(self.data.dates):
            if date not in self.fold.dates:
                _, values = mapper.classes_and_features(self.data.scenes[number])
                some = applicability.sample_features(
                    values, self.fold.training_labels(self.data.codes[number]), self.data.clusters)
                features.append(some[0])
                groups.append(some[1])
        area = applicability.fit_applicability(np.concatenate(features), np.concatenate(groups))
        found: dict[str, object] = {"threshold": float(area.threshold)}
        labels = {k: t.cpu().numpy() for k, t in self.parts.items()}
        for order, number in enumerate(self.held):
            mapped, values = mapper.classes_and_features(self.data.scenes[number])
            for part, target in labels.items():
                at = tuple(np.argwhere(target[order] != IGNORE)[::step].T)
                if at[0].size:
                    found[f"{self.data.dates[number]} {part}"] = error_rates(
                        mapped[at] != target[order][at], area.inside(values[:, *at]))
        for name, scene in self._scenes_of_covers.items():
            mapped, values = mapper.classes_and_features(scene)
            inside = area.inside(values[:, ::4, ::4])
            found[name] = {"outside": float((~inside).mean()),
                           "quarry_inside": float(((mapped == QUARRY)[::4, ::4] & inside).mean())}
        return found


def error_rates(wrong: NDArray[np.bool_], inside: NDArray[np.bool_]) -> dict[str, float]:
    """Return the error rate inside and outside the area, and the share outside; 0/0 is NaN.

    >>> error_rates(np.array([True, False, True, True]), np.array([True, True, False, False]))
    {'inside': 0.5, 'outside': 1.0, 'share_outside': 0.5}
    """
    def rate(at: NDArray[np.bool_]) -> float:
        return float(wrong[at].mean()) if at.any() else float("nan")

    return {"inside": rate(inside), "outside": rate(~inside),
            "share_outside": float((~inside).mean())}


def confusion(mapped: Tensor, target: Tensor) -> list[list[int]]:
    """Return counts, rows map and columns reference; IGNORE does not count."""
    at = target != IGNORE
    pairs = mapped[at].long() * CLASSES + target[at].long()
    return torch.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES).tolist()


def reliability_tables(logits: Tensor, target: Tensor) -> list[list[list[float]]]:
    """Return for every temperature a reliability table's sums and the summed log loss."""
    at = target != IGNORE
    z, t = logits.permute(0, 2, 3, 1)[at], target[at]
    tables = []
    for temperature in TEMPERATURES:
        log_p = (z / temperature).log_softmax(1)
        confidence, mapped = log_p.max(1)
        confidence, right = confidence.exp(), (mapped == t).float()
        number = (confidence * BINS).long().clamp(max=BINS - 1)
        sums = [torch.zeros(BINS, device=z.device).index_add_(0, number, v).round(decimals=2)
                for v in (torch.ones_like(right), confidence, right)]
        loss = float(-log_p.gather(1, t[:, None]).sum())
        tables.append([*(s.tolist() for s in sums), [round(loss, 2)]])
    return tables


def _four(hit: Tensor, quarry: Tensor, other: Tensor) -> list[int]:
    return [int(v.sum()) for v in (hit & quarry, quarry, hit & other, other)]


def _class_shares(mapped: Tensor) -> list[float]:
    counts = torch.bincount(mapped.flatten(), minlength=CLASSES) / mapped.numel()
    return [round(v, 6) for v in counts.tolist()]
