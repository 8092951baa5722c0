"""A network's fixed input: what a pixel becomes depends on its neighbourhood, never on the scene.

Log reflectance turns a change of light into an addition; normalised differences forgive it; local
texture tells a forest from a field of the same colour.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lulc_lib.data.bands import BANDS
from lulc_lib.unet.indices import INDICES

DARKEST = 0.02
"""Reflectance added before the logarithm: differences below it hardly count."""

USUAL = 0.13
"""Reflectance whose logarithm is about 0 as an input channel."""

TEXTURE_BANDS: tuple[int, ...] = tuple(BANDS.index(b) for b in ("B02", "B04", "B08", "B11"))
TEXTURE_WINDOW = 5
"""Pixels, edge of the window of the local standard deviation."""


class Window(NamedTuple):
    """A square window of blocks of pixels, centred on the block that a pixel lies in.

    Attributes
    ----------
    blocks : int
        Blocks along an edge, odd.
    size : int, pixels
        Edge of a block. Blocks start at the upper-left corner.
    """

    blocks: int
    size: int = 1

    @property
    def radius(self) -> int:
        """Pixels from a pixel to the farthest that it depends on."""
        return self.blocks // 2 * self.size + self.size - 1

    def mean(self, values: Tensor) -> Tensor:
        """Return (N, C, block row, block column) means over the window around each block."""
        if self.size > 1:
            values = functional.avg_pool2d(values, self.size, ceil_mode=True,
                                           count_include_pad=False)
        return window_mean(values, self.blocks)

    def at_pixels(self, means: Tensor, rows: int, cols: int) -> Tensor:
        """Return (N, C, rows, cols): to each pixel the mean of its block."""
        if self.size > 1:
            means = means.repeat_interleave(self.size, 2).repeat_interleave(self.size, 3)
        return means[..., :rows, :cols]


class FixedInput(nn.Module):
    """The first stage of a network, without parameters: reflectance to 18 channels.

    Log reflectance (10), normalised differences (4) and local texture (4), brought to a mean near 0
    and a spread near 1 by constants.

    Parameters
    ----------
    surroundings : Window, optional
        Log reflectance counts against its mean over this window, instead of as it is: a crop is
        then bright or dark for its season and light, as far as the window reaches.
    """

    channels = len(BANDS) + len(INDICES) + len(TEXTURE_BANDS)

    def __init__(self, surroundings: Window | None = None) -> None:
        super().__init__()
        self.surroundings = surroundings

    @property
    def radius(self) -> int:
        """Radius in pixels of what a channel depends on."""
        return self.surroundings.radius if self.surroundings else TEXTURE_WINDOW // 2

    def forward(self, reflectance: Tensor) -> Tensor:
        """Return (N, 18, H, W) of (N, 10, H, W) float32 reflectance without gaps.

        Of (N, 20, H, W) the last ten are what the surroundings are like (see
        :func:`surroundings_of`), for patches that are too small to show them.
        """
        reflectance, around = reflectance[:, :len(BANDS)], reflectance[:, len(BANDS):]
        logs = log(reflectance)
        return torch.cat([self.level(logs, around), differences(reflectance), texture(logs)], dim=1)

    def level(self, logs: Tensor, around: Tensor | None = None) -> Tensor:
        """Return (N, 10, H, W): how bright it is, as such or against its surroundings."""
        if self.surroundings is None:
            return (logs + 1.9) / 0.7
        means = log(around) if around is not None and around.shape[1] else (
            self.surroundings.at_pixels(self.surroundings.mean(logs), *logs.shape[2:]))
        return (logs - means) / 0.5


FIXED_INPUTS: dict[str, Window | None] = {
    "log_indices_texture": None,
    "relative_indices_texture": Window(129),
    "wide_relative_indices_texture": Window(17, 8),
}
"""Name of a normalisation that the network itself makes of reflectance to its surroundings."""


def log(reflectance: Tensor) -> Tensor:
    """Return the logarithm of reflectance of which the darkest hardly counts."""
    return logarithm(reflectance.clamp_min(0) + DARKEST)


def logarithm(values: Tensor) -> Tensor:
    """Return the natural logarithm, float32, worked out in double precision.

    In single precision its last bit depends on where in memory a number lies, and with it a map on
    how the scene was cut.
    """
    return torch.log(values.double()).float()


def surroundings_of(scenes: Tensor, window: Window) -> Tensor:
    """Return (N, 10, block row, block column): what reflectance usually is around each block.

    That is the geometric mean over the window, of (N, 10, H, W) reflectance plus ``DARKEST``.
    """
    return torch.exp(window.mean(log(scenes))) - DARKEST


def differences(reflectance: Tensor) -> Tensor:
    """Return (N, 4, H, W): the normalised differences of ``INDICES``, near 0 where all is dark."""
    bands = dict(zip(BANDS, reflectance.clamp_min(0.0005).unbind(1), strict=True))
    return torch.stack([(bands[a] - bands[b]) / (bands[a] + bands[b]).clamp_min(DARKEST)
                        for a, b in INDICES.values()], dim=1) / 0.3


def texture(logs: Tensor) -> Tensor:
    """Return (N, 4, H, W): the local standard deviation of log reflectance, on a log scale."""
    bands = torch.stack([logs[:, band] for band in TEXTURE_BANDS], dim=1)
    mean = window_mean(bands, TEXTURE_WINDOW)
    spread = (window_mean(bands * bands, TEXTURE_WINDOW) - mean * mean).clamp_min(0).sqrt()
    return (logarithm(spread + 0.01) + 3.0) / 0.7


def window_mean(values: Tensor, edge: int) -> Tensor:
    """Return the mean over ``edge`` × ``edge`` pixels; at the border over those that are there.

    ``edge`` is odd. A pixel's sums are added in the same order wherever it lies.
    """
    for dim in (2, 3):
        there = values.new_ones(values.shape[dim])
        values = _window_sum(values, edge, dim) / _window_sum(there, edge, 0).view(
            (-1, 1) if dim == 2 else (1, -1))
    return values


def _window_sum(values: Tensor, edge: int, dim: int) -> Tensor:
    """Return the sums over ``edge`` values along an axis; beyond its ends lie zeros.

    Sums over 1, 2, 4, … values make each other, and those that add up to ``edge`` the result.
    """
    count, half = values.shape[dim], edge // 2
    zeros = values.new_zeros([half if d == dim else n for d, n in enumerate(values.shape)])
    sums, total, at = torch.cat([zeros, values, zeros], dim), None, 0
    for bit in range(edge.bit_length()):
        width = 2**bit
        if edge & width:
            part = sums.narrow(dim, at, count)
            total, at = part if total is None else total + part, at + width
        if 2 * width <= edge:
            longer = sums.shape[dim] - width
            sums = sums.narrow(dim, 0, longer) + sums.narrow(dim, width, longer)
    return total
