"""Logit adjustment: a trained network's maps take the labels' class shares into account."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lulc_lib.unet.model import Network


def adjust_logits(model: Network, counts: NDArray[np.int64], power: float) -> None:
    """Add ``power`` · log(share of the labels) of each class to a trained network's logits.

    Patches centred on every class alike, class weights and the focal loss teach a network to expect
    a rare class more often than it occurs, and it sees the rare class where there is none. This
    takes part of that back without any training: probabilities are multiplied by share ** power and
    then sum to 1 again.

    Source: logit adjustment after training, Menon et al. 2021, with the opposite sign.

    Parameters
    ----------
    model : Network
        Changed in place: the (classes,) bias of its ``head``.
    counts : array, (classes,) int64
        Labelled pixels of each class; one without any counts as if it had one.
    power : float
        0 changes nothing, negative values favour rare classes.
    """
    share = np.maximum(counts, 1) / np.maximum(counts, 1).sum()
    with torch.no_grad():
        model.head.bias += torch.as_tensor(power * np.log(share)).to(model.head.bias)
