"""A network's fixed input: what a pixel becomes depends on its neighbourhood, never on the scene.

Log reflectance turns a change of light into an addition; normalised differences forgive it; local
texture tells a forest from a field of the same colour.
"""

from __future__ import annotations

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

SURROUNDINGS = 129
"""Pixels, edge of the window whose mean log reflectance the relative input subtracts."""


class FixedInput(nn.Module):
    """The first stage of a network, without parameters: reflectance to 18 channels.

    Log reflectance (10), normalised differences (4) and local texture (4), brought to a mean near 0
    and a spread near 1 by constants.

    Parameters
    ----------
    relative : bool
        Log reflectance against its mean over the surroundings instead of as it is: a crop is then
        bright or dark for its season and light, as far as a window reaches.
    """

    channels = len(BANDS) + len(INDICES) + len(TEXTURE_BANDS)

    def __init__(self, relative: bool = False) -> None:
        super().__init__()
        self.relative = relative

    @property
    def radius(self) -> int:
        """Radius in pixels of what a channel depends on."""
        return (SURROUNDINGS if self.relative else TEXTURE_WINDOW) // 2

    def forward(self, reflectance: Tensor) -> Tensor:
        """Return (N, 18, H, W) of (N, 10, H, W) float32 reflectance without gaps."""
        logs = torch.log(reflectance.clamp_min(0) + DARKEST)
        bands = torch.stack([logs[:, band] for band in TEXTURE_BANDS], dim=1)
        mean = window_mean(bands, TEXTURE_WINDOW)
        spread = (window_mean(bands * bands, TEXTURE_WINDOW) - mean * mean).clamp_min(0).sqrt()
        texture = (torch.log(spread + 0.01) + 3.0) / 0.7
        level = ((logs - window_mean(logs, SURROUNDINGS)) / 0.5 if self.relative
                 else (logs + 1.9) / 0.7)
        return torch.cat([level, differences(reflectance) / 0.3, texture], dim=1)


FIXED_INPUTS: dict[str, bool] = {"log_indices_texture": False, "relative_indices_texture": True}
"""Name of a normalisation that the network itself makes of reflectance to ``relative``."""


def differences(reflectance: Tensor) -> Tensor:
    """Return (N, 4, H, W): the normalised differences of ``INDICES``, near 0 where all is dark."""
    bands = dict(zip(BANDS, reflectance.clamp_min(0.0005).unbind(1), strict=True))
    return torch.stack([(bands[a] - bands[b]) / (bands[a] + bands[b]).clamp_min(DARKEST)
                        for a, b in INDICES.values()], dim=1)


def window_mean(values: Tensor, edge: int) -> Tensor:
    """Return the mean over ``edge`` × ``edge`` pixels; at the border over those that are there."""
    half, values = edge // 2, values.contiguous()
    rows = functional.avg_pool2d(values, (edge, 1), 1, (half, 0), count_include_pad=False)
    return functional.avg_pool2d(rows, (1, edge), 1, (0, half), count_include_pad=False)
