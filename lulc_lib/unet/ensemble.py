"""Several trained networks that vote as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lulc_lib.errors import InputError
from lulc_lib.unet.networks import Network


class Ensemble(nn.Module):
    """The mean of several networks' probabilities, behind the interface of one network.

    Parameters
    ----------
    members : trained networks for the same classes. A member that knows fewer channels than the
        input has gets the first ones.

    Raises
    ------
    InputError
        No member.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        if not len(members):
            raise InputError("an ensemble of 0 networks was asked for; it needs at least one")
        self.members = nn.ModuleList(members)
        self.depth = max(m.depth for m in members)

    @property
    def margin(self) -> int:
        """Pixels around a place that its scores can depend on, rounded up to 2**depth."""
        step = 2**self.depth
        return -(-max(m.reach() for m in self.members) // step) * step

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes, H, W): the logarithm of the members' mean probability."""
        scores = torch.stack([m(x[:, :m.in_channels]).log_softmax(dim=1)
                              for m in self.members])
        return scores.logsumexp(dim=0) - torch.log(torch.tensor(float(len(self.members))))
