"""Maps that expect of each class what the labels hold of it, a little."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from lulc_lib.unet.networks import Network


def lean(model: Network, counts: NDArray[np.int64], power: float) -> None:
    """Change a trained network so that its probabilities are multiplied by (share of the labels) **
    ``power``, and then sum to 1 again.

    Patches centred on every class alike, class weights and the focal loss teach a network to expect
    a rare class more often than it occurs, and it sees the rare class where there is none. This
    takes part of that back, without any training: logarithms are added to the last layer's bias.

    Parameters
    ----------
    model : changed in place, the (classes,) bias of its ``head``.
    counts : (classes,) labelled pixels of each class; one without any counts as if it had one.
    power : 0 changes nothing, negative values favour rare classes.

    Source: logit adjustment after training, Menon et al. 2021, with the opposite sign.
    """
    share = np.maximum(counts, 1) / np.maximum(counts, 1).sum()
    with torch.no_grad():
        model.head.bias += torch.as_tensor(power * np.log(share)).to(model.head.bias)
