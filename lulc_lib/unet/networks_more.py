"""The two networks that the paper's authors piloted: U-Net++ and a fully convolutional network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS
from lulc_lib.unet.networks import Network, pad_to


class UNetPlusPlus(Network):
    """U-Net with nested skip connections, without deep supervision.

    Parameters as in :class:`lulc_lib.unet.networks.Network`. Node (level, step) joins all earlier
    nodes of its level with the node one level below, brought to its size; step 0 is the encoder,
    and the scores are read from the last node of level 0.

    Source: Zhou et al. 2018, equation 1 and Figure 1a.
    """

    def __init__(
        self,
        in_channels: int = len(BANDS),
        classes: int = len(legend.CODES),
        base: int = 64,
        depth: int = 4,
        convolutions: int = 2,
    ) -> None:
        super().__init__(in_channels, classes, base, depth, convolutions)
        self.up, self.nodes = nn.ModuleDict(), nn.ModuleDict()
        for level, step in self._order():
            width = self.widths[level]
            key = f"{level}_{step}"
            self.up[key] = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
            self.nodes[key] = self.block((step + 1) * width, width)
        self.head = nn.Conv2d(base, classes, 1)

    def _order(self) -> list[tuple[int, int]]:
        """(level, step) of the nodes beyond the encoder, each after those it needs."""
        return [(level, step) for step in range(1, self.depth + 1)
                for level in range(self.depth - step + 1)]

    def reach(self) -> int:
        """Pixels around a place that its scores can depend on."""
        found = {(level, 0): r for level, r in enumerate(self.encoder_reach())}
        for level, step in self._order():
            before = [found[level, s] for s in range(step)] + [found[level + 1, step - 1]]
            found[level, step] = max(before) + self.convolutions * 2**level
        return found[0, self.depth]

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes, H, W) of normalised bands ``x`` (N, in_channels, H, W).

        Raises
        ------
        InputError
            H or W is below 2**depth.
        """
        found = [[features] for features in self.encode(x)]  # level → nodes so far
        for level, step in self._order():
            key = f"{level}_{step}"
            below = pad_to(self.up[key](found[level + 1][step - 1]), found[level][0])
            found[level].append(self.nodes[key](torch.cat([*found[level], below], dim=1)))
        return self.head(found[0][-1])


class FCN(Network):
    """Fully convolutional network: class scores at three scales, added and brought to full size.

    Parameters as in :class:`lulc_lib.unet.networks.Network`. The two finer scales are the two
    levels above the deepest (fewer if there are not as many); with ``depth`` 5 their pixels are 8,
    16 and 32 wide, the arrangement called FCN-8s. It has one block of ours where the first
    one has VGG-16, so it is light. Doubling is a learned 4×4 transposed convolution that starts as
    bilinear interpolation; the last enlargement is bilinear.

    Source: Long et al. 2015, Figure 3 and section 4.
    """

    def __init__(
        self,
        in_channels: int = len(BANDS),
        classes: int = len(legend.CODES),
        base: int = 64,
        depth: int = 4,
        convolutions: int = 2,
    ) -> None:
        super().__init__(in_channels, classes, base, depth, convolutions)
        self.finest = max(depth - 2, 0)
        levels = range(depth, self.finest - 1, -1)  # deepest first
        self.scores = nn.ModuleList(nn.Conv2d(self.widths[level], classes, 1) for level in levels)
        self.up = nn.ModuleList(_doubling(classes) for _ in levels[1:])

    @property
    def head(self) -> nn.Conv2d:
        """The last convolution; its bias adds to the scores."""
        return self.scores[-1]

    def reach(self) -> int:
        """Pixels around a place that its scores can depend on."""
        enlarging = sum(2**level for level in range(self.finest + 1, self.depth + 1))
        last = 2**self.finest if self.finest else 0
        return self.encoder_reach()[-1] + enlarging + last

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes, H, W) of normalised bands ``x`` (N, in_channels, H, W).

        Raises
        ------
        InputError
            H or W is below 2**depth.
        """
        features = self.encode(x)
        total = self.scores[0](features.pop())              # (N, classes, H/2^depth, …)
        for score, up in zip(self.scores[1:], self.up, strict=True):
            finer = score(features.pop())
            total = finer + pad_to(up(total), finer)        # (N, classes, H/2^level, …)
        if self.finest:
            total = functional.interpolate(
                total, scale_factor=float(2**self.finest), mode="bilinear", align_corners=False
            )
        return pad_to(total, x)                             # (N, classes, H, W)


def _doubling(channels: int) -> nn.ConvTranspose2d:
    """A transposed convolution to twice the size whose first weights interpolate bilinearly."""
    up = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        up.weight.zero_()
        for channel in range(channels):
            up.weight[channel, channel] = torch.outer(ramp, ramp)
    return up
