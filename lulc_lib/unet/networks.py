"""The paper's U-Net, the original one, and what every network of the study has in common.

Source: Hejmanowska et al. 2025, section 2.3.1 and Table 4; Ronneberger et al. 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError


def conv_block(
    in_channels: int, out_channels: int, convolutions: int, batch_norm: bool = True
) -> nn.Sequential:
    """A chain of (3×3 convolution, batch normalisation, ReLU), padded so that the size stays.

    With batch normalisation the convolutions have no bias: it would subtract it again and adds its
    own. Without, they have one.
    """
    layers: list[nn.Module] = []
    for i in range(convolutions):
        width = in_channels if i == 0 else out_channels
        layers.append(nn.Conv2d(width, out_channels, 3, padding="same", bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def pad_to(x: Tensor, like: Tensor) -> Tensor:
    """``x`` (N, C, h, w) with its last row and column repeated up to the size of ``like``."""
    rows, cols = like.shape[-2] - x.shape[-2], like.shape[-1] - x.shape[-1]
    return functional.pad(x, (0, cols, 0, rows), mode="replicate") if rows or cols else x


class Network(nn.Module):
    """From bands to class scores (logits) on the same grid: the part that all networks share.

    Parameters
    ----------
    in_channels : bands of the input.
    classes : classes of the legend, in the order of ``legend.CODES``.
    base : channels of the first block; each pooling doubles them.
    depth : number of 2×2 poolings. Rows and columns must be at least 2**depth, else any number.
    convolutions : 3×3 convolutions in each block.
    batch_norm : batch normalisation after each of them.

    A pooling of an odd size drops a row or column; on the way up the last one is repeated
    (replication padding).
    """

    def __init__(
        self,
        in_channels: int = len(BANDS),
        classes: int = len(legend.CODES),
        base: int = 64,
        depth: int = 4,
        convolutions: int = 3,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        for name, value in (("base", base), ("depth", depth), ("convolutions", convolutions)):
            if value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        self.in_channels, self.batch_norm = in_channels, batch_norm
        self.depth, self.convolutions = depth, convolutions
        self.widths = [base * 2**level for level in range(depth + 1)]
        inputs = [in_channels, *self.widths[:-1]]
        self.encoder = nn.ModuleList(
            self.block(i, o) for i, o in zip(inputs, self.widths, strict=True)
        )

    def block(self, in_channels: int, out_channels: int) -> nn.Sequential:
        """A block of this network's kind."""
        return conv_block(in_channels, out_channels, self.convolutions, self.batch_norm)

    def encode(self, x: Tensor) -> list[Tensor]:
        """What the encoder's blocks give, finest first: (N, base·2^level, H/2^level, W/2^level).

        Raises
        ------
        InputError
            H or W is below 2**depth.
        """
        rows, cols = x.shape[-2:]
        if min(rows, cols) < 2**self.depth:
            raise InputError(
                f"patch is {rows}×{cols}; rows and columns must be at least {2**self.depth} "
                f"({self.depth} poolings)"
            )
        features = [self.encoder[0](x)]
        for block in self.encoder[1:]:
            features.append(block(functional.max_pool2d(features[-1], 2)))
        return features

    def encoder_reach(self) -> list[int]:
        """Pixels around a place that the encoder's output there can depend on, at each level."""
        reach = [self.convolutions]
        for level in range(1, self.depth + 1):
            reach.append(reach[-1] + 2 ** (level - 1) + self.convolutions * 2**level)
        return reach

    def reach(self) -> int:
        """Pixels around a place that its scores can depend on."""
        raise NotImplementedError

    @property
    def margin(self) -> int:
        """Pixels around a place that its scores can depend on, rounded up to 2**depth.

        Tiles that start on multiples of 2**depth and overlap by this much give the same scores
        as the whole scene.
        """
        step = 2**self.depth
        return -(-self.reach() // step) * step


class UNet(Network):
    """The paper's U-Net; parameters as in :class:`Network`, whose defaults are the paper's.

    Source: Table 4.
    """

    def __init__(
        self,
        in_channels: int = len(BANDS),
        classes: int = len(legend.CODES),
        base: int = 64,
        depth: int = 4,
        convolutions: int = 3,
        batch_norm: bool = True,
    ) -> None:
        super().__init__(in_channels, classes, base, depth, convolutions, batch_norm)
        finer: Sequence[int] = self.widths[-2::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in finer)
        self.decoder = nn.ModuleList(self.block(2 * w, w) for w in finer)
        self.head = nn.Conv2d(base, classes, 1)

    def reach(self) -> int:
        """Pixels around a place that its scores can depend on."""
        decoder = sum(self.convolutions * 2**level for level in range(self.depth))
        return self.encoder_reach()[-1] + decoder

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes, H, W) of normalised bands ``x`` (N, in_channels, H, W).

        Raises
        ------
        InputError
            H or W is below 2**depth.
        """
        *skips, x = self.encode(x)                          # (N, base·2^depth, H/2^depth, …)
        for up, block in zip(self.up, self.decoder, strict=True):
            skip = skips.pop()                              # (N, base·2^level, H/2^level, …)
            x = block(torch.cat([skip, pad_to(up(x), skip)], dim=1))
        return self.head(x)                                 # (N, classes, H, W)


class OriginalUNet(UNet):
    """The first U-Net: two convolutions with ReLU a block and no batch normalisation.

    Parameters as in :class:`Network`. Its convolutions are padded here, so that the scores cover
    the whole input. Without batch normalisation the first weights matter: they are drawn with a
    standard deviation of √(2 / inputs of a neuron), as its authors did.

    Source: Ronneberger et al. 2015, Figure 1 and section 3.
    """

    def __init__(
        self,
        in_channels: int = len(BANDS),
        classes: int = len(legend.CODES),
        base: int = 64,
        depth: int = 4,
        convolutions: int = 2,
    ) -> None:
        if convolutions != 2:
            raise InputError(
                f"convolutions is {convolutions}; the original U-Net has 2 in each block"
            )
        super().__init__(in_channels, classes, base, depth, convolutions, batch_norm=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
