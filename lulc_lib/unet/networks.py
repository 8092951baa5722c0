"""The paper's U-Net: three convolutions with batch normalisation a block, any scene size.

Source: Hejmanowska et al. 2025, section 2.3.1 and Table 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lulc_lib import legend
from lulc_lib.data.scenes import BANDS
from lulc_lib.errors import InputError


def conv_block(in_channels: int, out_channels: int, convolutions: int) -> nn.Sequential:
    """A chain of (3×3 convolution, batch normalisation, ReLU), padded so that the size stays.

    The convolutions have no bias: batch normalisation would subtract it again and adds its own.
    """
    layers: list[nn.Module] = []
    for i in range(convolutions):
        width = in_channels if i == 0 else out_channels
        layers += [
            nn.Conv2d(width, out_channels, 3, padding="same", bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def pad_to(x: Tensor, like: Tensor) -> Tensor:
    """``x`` (N, C, h, w) with its last row and column repeated up to the size of ``like``."""
    rows, cols = like.shape[-2] - x.shape[-2], like.shape[-1] - x.shape[-1]
    return functional.pad(x, (0, cols, 0, rows), mode="replicate") if rows or cols else x


class UNet(nn.Module):
    """U-Net from bands to class scores (logits) on the same grid.

    Parameters
    ----------
    in_channels : bands of the input.
    classes : classes of the legend, in the order of ``legend.CODES``.
    base : channels of the first block; each pooling doubles them. The paper's network has 64.
    depth : number of 2×2 poolings. Rows and columns must be at least 2**depth, else any number.
    convolutions : 3×3 convolutions in each block; 3 in the paper, 2 in the first U-Net.

    Source: Table 4. A pooling of an odd size drops a row or column; the decoder repeats the last
    one (replication padding) before it concatenates.
    """

    def __init__(
        self,
        in_channels: int = len(BANDS),
        classes: int = len(legend.CODES),
        base: int = 64,
        depth: int = 4,
        convolutions: int = 3,
    ) -> None:
        super().__init__()
        for name, value in (("base", base), ("depth", depth), ("convolutions", convolutions)):
            if value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        self.depth, self.convolutions = depth, convolutions
        widths = [base * 2**level for level in range(depth + 1)]
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(
            conv_block(i, o, convolutions) for i, o in zip(inputs, widths, strict=True)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1])
        )
        self.decoder = nn.ModuleList(
            conv_block(2 * w, w, convolutions) for w in reversed(widths[:-1])
        )
        self.head = nn.Conv2d(base, classes, 1)

    @property
    def margin(self) -> int:
        """Pixels around a place that its scores can depend on, rounded up to 2**depth.

        Tiles that start on multiples of 2**depth and overlap by this much give the same scores
        as the whole scene.
        """
        radius = self.convolutions * 2**self.depth  # the bottom block
        for level in range(self.depth):
            radius += 2 * self.convolutions * 2**level + 2**level  # both blocks, the pooling
        step = 2**self.depth
        return -(-radius // step) * step

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes, H, W) of normalised bands ``x`` (N, in_channels, H, W).

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
        skips: list[Tensor] = []
        for block in self.encoder[:-1]:
            x = block(x)                                    # (N, base·2^level, H/2^level, …)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.encoder[-1](x)                             # (N, base·2^depth, H/2^depth, …)
        for up, block in zip(self.up, self.decoder, strict=True):
            skip = skips.pop()
            x = block(torch.cat([skip, pad_to(up(x), skip)], dim=1))
        return self.head(x)                                 # (N, classes, H, W)
