"""Several trained networks that vote as one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import log

import torch
from torch import Tensor, nn

from lulc_lib.errors import InputError
from lulc_lib.unet.networks import Network


class Ensemble(nn.Module):
    """The weighted mean of several networks' probabilities, behind the interface of one network.

    Parameters
    ----------
    members : trained networks for the same classes. A member that knows fewer channels than the
        input has gets the first ones.
    votes : how much each member's probability counts, above 0, in any unit; None: all the same.

    Raises
    ------
    InputError
        No member, or votes that do not fit them.
    """

    def __init__(self, members: Sequence[Network], votes: Sequence[float] | None = None) -> None:
        super().__init__()
        if not len(members):
            raise InputError("an ensemble of 0 networks was asked for; it needs at least one")
        votes = tuple(votes or [1.0] * len(members))
        if len(votes) != len(members) or min(votes) <= 0:
            raise InputError(f"votes are {votes}; there must be one above 0 for each of the "
                             f"{len(members)} networks")
        self.shares = [v / sum(votes) for v in votes]
        self.members = nn.ModuleList(members)
        self.depth = max(m.depth for m in members)

    @property
    def margin(self) -> int:
        """Pixels around a place that its scores can depend on, rounded up to 2**depth."""
        step = 2**self.depth
        return -(-max(m.reach() for m in self.members) // step) * step

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes, H, W): the logarithm of the members' weighted mean
        probability.
        """
        scores = [m(x[:, :m.in_channels]).log_softmax(dim=1) + log(share)
                  for m, share in zip(self.members, self.shares, strict=True)]
        return reduce(torch.logaddexp, scores)
