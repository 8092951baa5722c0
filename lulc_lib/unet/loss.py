"""Focal loss over labelled pixels, and class weights from label counts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lulc_lib import legend
from lulc_lib.errors import InputError


class FocalLoss(nn.Module):
    """Cross-entropy whose well-classified pixels count less: w (1 − p)^γ (−log p).

    The mean is weighted: divided by the sum of the labelled pixels' weights. Pixels with the target
    IGNORE_INDEX do not count. Without a labelled pixel the loss is 0 and so are its gradients.

    Source: Lin et al. 2017, equation 5; γ of Hejmanowska et al. 2025, Table 5.

    Parameters
    ----------
    gamma : float
        Focusing exponent γ ≥ 0; 0 is plain (weighted) cross-entropy.
    weight : Tensor, (classes,), optional
        Weight w of each class; all the same unless given.
    """

    def __init__(self, gamma: float = 2.0, weight: Tensor | None = None) -> None:
        super().__init__()
        if gamma < 0:
            raise InputError(f"gamma is {gamma}; it must be 0 or more")
        self.gamma = gamma
        self.register_buffer("weight", weight)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss (a scalar) of logits (N, classes, H, W), int64 targets (N, H, W)."""
        labelled = target != legend.IGNORE_INDEX
        index = torch.where(labelled, target, 0)
        log_p = logits.log_softmax(dim=1).gather(1, index[:, None])[:, 0]  # (N, H, W)
        loss = -log_p
        if self.gamma > 0:
            loss = loss * (-torch.expm1(log_p)).clamp_min(1e-7) ** self.gamma
        weight = labelled.to(logits.dtype)
        if self.weight is not None:
            weight = weight * self.weight[index]
        total = weight.sum()
        return (loss * weight).sum() / torch.where(total > 0, total, torch.ones_like(total))


def not_quarry(logits: Tensor, cover: Tensor, quarry: int) -> Tensor:
    """Return the mean of −log(1 − probability of quarry) over covers of no class, a scalar.

    ``cover`` (N, 1, H, W) is 1 where one lies; ``quarry`` is the index of the class.
    """
    probability = logits.softmax(dim=1)[:, quarry:quarry + 1].clamp(max=1 - 1e-5)
    return -(torch.log1p(-probability) * cover).mean()


def label_counts(labels: Iterable[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Count the labelled pixels of each class of the legend, (classes,), over all label rasters."""
    counts = np.zeros(256, dtype=np.int64)
    for raster in labels:
        counts += np.bincount(np.asarray(raster).ravel(), minlength=256)
    return counts[list(legend.CODES)]


def class_weights(counts: NDArray[np.int64], power: float) -> NDArray[np.float32]:
    """Return loss weights (classes,) ∝ count^−power, with mean 1 over the classes with labels.

    Parameters
    ----------
    counts : array, (classes,) int64
        Labelled pixels of each class; a class without any gets weight 1 (no pixel ever uses it).
    power : float
        0 gives equal weights, 1 weights that make every class count the same.

    Examples
    --------
    >>> class_weights(np.array([9, 1, 0]), 0.5).tolist()
    [0.5, 1.5, 1.0]
    """
    there = counts > 0
    weights = np.ones(len(counts))
    weights[there] = counts[there].astype(float) ** -power
    weights[there] /= weights[there].mean()
    return weights.astype(np.float32)
