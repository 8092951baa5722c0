"""What a training patch could have looked like: other light, other rock, other covers, other time.

All of it works on reflectance, on the device, with random numbers of one generator, and makes no
decision on the host: a step with it can be recorded as a CUDA graph. Targets are class indexes
(``legend.to_index``); IGNORE where nothing is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lulc_lib.data.bands import BANDS, WAVELENGTHS
from lulc_lib.legend import IGNORE_INDEX as IGNORE
from lulc_lib.legend import code, to_index

CONIFER, MIXED, URBAN, WATER, QUARRY = (
    int(to_index(np.array(code(key)))) for key in
    ("conifer", "mixed_forest", "urban", "water", "quarry"))
NANOMETRES = np.array(list(WAVELENGTHS.values()))
NEAR_INFRARED = BANDS.index("B08")
WOOD = (.030, .043, .055, .075, .098, .113, .128, .135, .150, .105)
"""Leafless broad-leaved trees over litter: twigs and dead leaves, typical reflectance."""


@dataclass(frozen=True)
class AugmentConfig:
    """Strengths of the augmentations of a fixed input; 0 switches one off.

    Shares are of the patches; the rest are standard deviations of log reflectance unless said.
    """

    gain: float = 0.05  # of the whole patch
    band: float = 0.02  # of each band
    slope: float = 0.03  # from blue to short-wave infrared
    haze: float = 0.01  # reflectance, largest added in blue
    noise: float = 0.001  # reflectance
    rock: float = 0.5  # share whose quarries become another rock
    rock_range: tuple[float, float] = (0.04, 0.65)  # reflectance level of the drawn rocks
    roof: float = 0.4  # share whose built-up land gets roofs of any colour
    leaf: float = 0.3  # share whose broad-leaved trees lose leaves, or forests stand in low sun
    sea: float = 0.08  # share with open water pasted in, labelled water
    cover: float = 0.12  # share with cloud, snow or a uniform cover pasted in, not labelled
    cover_weight: float = 2.0  # in the loss, of −log(1 − probability of quarry) over such covers


class Augment:
    """Draws one variation of every patch of a batch.

    Parameters
    ----------
    config : AugmentConfig
        How much of each.
    generator : torch.Generator
        Of the random numbers; its device is the patches'.
    """

    def __init__(self, config: AugmentConfig, generator: torch.Generator) -> None:
        self.config, self.generator, self.device = config, generator, generator.device
        place = np.log(NANOMETRES)
        place = 2 * (place - place[0]) / (place[-1] - place[0]) - 1

        def constant(values: object) -> Tensor:
            return torch.tensor(np.asarray(values), dtype=torch.float32, device=self.device)

        self.place = constant(place)  # −1 blue … 1 short-wave infrared, over log wavelength
        self.blue_edge = constant(1 / (1 + np.exp((NANOMETRES - 600) / 45)))
        self.green_bump = constant(np.exp(-(((NANOMETRES - 600) / 90) ** 2)))
        self.scattering = constant((NANOMETRES / 492.4) ** -2.5)
        self.swir1 = constant((NANOMETRES > 1500) & (NANOMETRES < 2000))
        self.swir2 = constant(NANOMETRES > 2000)
        self.wood = constant(WOOD)

    def __call__(self, x: Tensor, target: Tensor, rock: Tensor, rock_mean: Tensor
                 ) -> tuple[Tensor, Tensor, Tensor]:
        """Vary patches.

        Parameters
        ----------
        x, target : Tensor
            (N, 10, H, W) reflectance, (N, H, W) int64 class indexes. Ten more channels of x, if
            there are any, tell of the surroundings: light changes there as well, nothing else.
        rock, rock_mean : Tensor
            (N, 1, H, W) share of open rock of a quarry, (N, 10) its mean in the patch's scene.

        Returns
        -------
        x, target, cover : Tensor
            The last is (N, 1, H, W): 1 where a cover of no class lies, which is not quarry.
        """
        config, (x, around) = self.config, x.split([len(BANDS), x.shape[1] - len(BANDS)], dim=1)
        x, target, cover = x.clone(), target.clone(), torch.zeros_like(x[:, :1])
        if config.rock:
            self.another_rock(x, rock, rock_mean)
        if config.roof:
            self.roofs(x, target)
        if config.leaf:
            self.forests(x, target)
        x, around = self.light(x, around)
        if config.sea:
            self.paste_sea(x, target)
        if config.cover:
            self.paste_cover(x, target, cover)
        x.add_(self.normal(*x.shape), alpha=config.noise)
        return torch.cat([x, around], dim=1) if around.shape[1] else x, target, cover

    def patches(self, changed: Tensor) -> Tensor | slice:
        """Return which patches to work on, of those of which a number in ``changed`` is not 0.

        On a GPU it is all of them, so that nothing is decided on the host.
        """
        if self.device.type != "cpu":
            return slice(None)
        return changed.flatten(1).any(1).nonzero()[:, 0]

    # random numbers
    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Return uniform numbers between ``low`` and ``high``."""
        return torch.rand(*shape, device=self.device, generator=self.generator) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers."""
        return torch.randn(*shape, device=self.device, generator=self.generator)

    def chosen(self, count: int, share: float) -> Tensor:
        """Return (count, 1, 1, 1): 1 for a random ``share`` of the patches, else 0."""
        return (self.uniform(count, 1, 1, 1) < share).float()

    def smooth(self, count: int, size: int, cells: int) -> Tensor:
        """Return (count, 1, size, size) smooth noise with about ``cells`` bumps along an edge."""
        noise = self.normal(count, 1, cells, cells)
        return functional.interpolate(noise, (size, size), mode="bicubic", align_corners=False)

    # spectra
    def rocks(self, count: int) -> Tensor:
        """Return (count, 10) smooth spectra: dark basalt to white limestone, clays and sands."""
        low, high = (math.log(v) for v in self.config.rock_range)
        curve = (0.2 + 0.35 * self.normal(count, 1)) * self.place
        curve = curve + 0.2 * self.normal(count, 1) * self.place**2
        iron = 1.0 * self.normal(count, 1).abs() * (self.uniform(count, 1) < 0.5)
        curve = curve - iron * self.blue_edge
        curve = curve + self.swir2 * self.uniform(count, 1, low=-0.5, high=0.05)
        curve = curve + self.swir1 * self.uniform(count, 1, low=-0.2, high=0.1)
        level = self.uniform(count, 1, low=low, high=high)
        return torch.exp(level + curve).clamp(0.015, 0.85)

    def waters(self, count: int) -> Tensor:
        """Return (count, 10) spectra of open water: clear, turbid, or with sun glint."""
        depth = (self.place + 1) * self.uniform(count, 1, low=0.8, high=3.0)
        clear = self.uniform(count, 1, low=0.003, high=0.08) * torch.exp(-depth)
        turbid = self.uniform(count, 1, high=0.12) * (self.uniform(count, 1) < 0.35)
        glint = self.uniform(count, 1, low=-0.002, high=0.03) * (self.uniform(count, 1) < 0.5)
        return clear + turbid * self.green_bump + glint + 0.0015

    def covers(self, count: int) -> tuple[Tensor, Tensor]:
        """Return (count, 10) clouds, snow, covers of any colour, and (count, 1): 1 if uniform."""
        kind = self.uniform(count, 1)
        cloud, uniform = (kind < 0.4).float(), (kind >= 0.7).float()
        level = self.uniform(count, 1, low=0.25, high=1.15)
        absorbed = (self.swir1 * self.uniform(count, 1, high=0.5)
                    + self.swir2 * self.uniform(count, 1, high=0.65))
        clouds = level * torch.exp(0.15 * self.normal(count, 1) * self.place) * (1 - absorbed)
        snow = level * (1 - (self.swir1 + self.swir2) * self.uniform(count, 1, low=0.7, high=0.98))
        spectra = cloud * clouds + (1 - cloud - uniform) * snow + uniform * self.rocks(count)
        return spectra, uniform

    # land; each changes x in place
    def another_rock(self, x: Tensor, rock: Tensor, rock_mean: Tensor) -> None:
        """Turn quarries of a share of the patches into another rock; texture, surroundings stay."""
        count = len(x)
        contrast = self.uniform(count, 1, 1, 1, low=0.6, high=1.25)
        rocks = self.rocks(count)[:, :, None, None]
        here = rock * self.chosen(count, self.config.rock)
        at = self.patches(here)
        relative = (x[at].clamp_min(0.004) / rock_mean[at][:, :, None, None]).clamp(0.1, 6)
        x[at] += here[at] * (rocks[at] * relative**contrast[at] - x[at])

    def roofs(self, x: Tensor, target: Tensor) -> None:
        """Put square roofs of one colour a patch, of differing brightness, on built-up land."""
        count, size = len(x), x.shape[-1]
        cells = (count, 1, size // 4, size // 4)
        here = functional.interpolate(self.uniform(*cells), (size, size), mode="nearest") > 0.75
        here = here * (target == URBAN)[:, None] * self.chosen(count, self.config.roof)
        gain, rocks = self.normal(*cells), self.rocks(count)[:, :, None, None]
        at = self.patches(here)
        gain = functional.interpolate(gain[at], (size, size), mode="nearest")
        x[at] += here[at] * (rocks[at] * torch.exp(0.4 * gain) - x[at])

    def forests(self, x: Tensor, target: Tensor) -> None:
        """Take leaves from broad-leaved trees, and put forests into lower sun; texture stays."""
        count, leaf = len(x), self.config.leaf
        brightness = torch.exp(0.25 * self.normal(count, 1, 1, 1))
        share, shade = (most * self.chosen(count, leaf) * self.uniform(count, 1, 1, 1)
                        for most in (1.0, 0.6))
        mixed, conifer = ((target == index)[:, None].float() for index in (MIXED, CONIFER))
        at = self.patches((mixed + conifer) * (share + shade))
        part, mixed = x[at], mixed[at]
        forest = mixed + conifer[at]
        near = part[:, NEAR_INFRARED:NEAR_INFRARED + 1].clamp_min(0.01)
        pixels = forest.sum((2, 3), keepdim=True).clamp_min(1)
        mean = (near * forest).sum((2, 3), keepdim=True) / pixels
        texture = (near / mean.clamp_min(0.02)).clamp(0.3, 3)
        bare = self.wood[:, None, None] * brightness[at] * texture
        part = part + mixed * share[at] * (bare - part)
        x[at] = part * torch.exp(-forest * shade[at])

    def light(self, x: Tensor, around: Tensor) -> tuple[Tensor, Tensor]:
        """Change sun, calibration and haze over the whole patch, and around it."""
        config, count = self.config, len(x)
        change = (config.gain * self.normal(count, 1) + config.band * self.normal(count, 10)
                  + config.slope * self.normal(count, 1) * self.place)
        haze = (config.haze * self.uniform(count, 1, low=-0.3) * self.scattering
                + 0.15 * config.haze * self.normal(count, 1))
        gain, haze = torch.exp(change)[:, :, None, None], haze[:, :, None, None]
        return x * gain + haze, around * gain + haze if around.shape[1] else around

    # covers pasted in; x, target and cover are changed in place
    def regions(self, count: int, size: int) -> Tensor:
        """Return (count, 1, size, size) 0 … 1: wavy parts of the patches, or all of them."""
        line = torch.linspace(-1, 1, size, device=self.device)
        angle = self.uniform(count, 1, 1, 1, high=2 * math.pi)
        field = 1.2 * (torch.cos(angle) * line[:, None] + torch.sin(angle) * line)
        field = field + 0.5 * self.smooth(count, size, 5) + 0.25 * self.smooth(count, size, 13)
        level = self.uniform(count, 1, 1, 1, low=-1.2, high=1.2) - 9 * self.chosen(count, 0.25)
        return torch.sigmoid(12 * (field - level))

    def paste_sea(self, x: Tensor, target: Tensor) -> None:
        """Paste open water over part of some patches, labelled water, its shore unlabelled."""
        chosen, size = self.chosen(len(x), self.config.sea), x.shape[-1]
        at = self.patches(chosen)
        part, count = x[at], len(x[at])
        if not count:
            return
        region = self.regions(count, size) * chosen[at]
        water = self.waters(count)[:, :, None, None] * (1 + 0.15 * self.smooth(count, size, 6))
        water = water + (self.uniform(count, 1, 1, 1, low=0.0002, high=0.004)
                         * self.normal(*part.shape))
        share = region[:, 0]
        target[at] = torch.where(share > 0.95, WATER, torch.where(share > 0.05, IGNORE, target[at]))
        x[at] = part + region * (water - part)

    def paste_cover(self, x: Tensor, target: Tensor, cover: Tensor) -> None:
        """Paste cloud, snow or a uniform cover over part of some patches, without a label."""
        chosen, size = self.chosen(len(x), self.config.cover), x.shape[-1]
        at = self.patches(chosen)
        part, count = x[at], len(x[at])
        if not count:
            return
        region = self.regions(count, size) * chosen[at]
        spectra, uniform = (v[:, :, None, None] for v in self.covers(count))
        texture = 1 + self.uniform(count, 1, 1, 1, high=0.25) * self.smooth(count, size, 4)
        fine = self.uniform(count, 1, 1, 1, high=0.08) * self.smooth(count, size, 16)
        over = spectra * (texture + fine * (1 - uniform))
        over = over + self.uniform(count, 1, 1, 1, low=0.001, high=0.02) * self.normal(*part.shape)
        target[at] = torch.where(region[:, 0] > 0.05, IGNORE, target[at])
        x[at] = part + region * (over - part)
        cover[at] = (region > 0.9).float()


class StatisticsAugmentation:
    """Standardises patches anew, as if their scene's landscapes had other shares.

    For input that is standardised by the scene's own mean and deviation: the same crop is bright in
    a scene full of forest and dark in a scene full of pits.

    Parameters
    ----------
    inputs : Tensor, (scene, channel, row, col)
        Network input without gaps; the first ten channels are changed.
    concentration : float
        Of the Dirichlet distribution that the shares of the blocks come from.
    share : float
        Of the patches that are changed.
    generator : torch.Generator
        Of the random numbers.
    """

    BLOCK = 50
    """Pixels, edge of a block of one landscape."""

    def __init__(self, inputs: Tensor, concentration: float, share: float,
                 generator: torch.Generator) -> None:
        bands = inputs[:, :len(BANDS)]
        pool = [functional.avg_pool2d(v, self.BLOCK, ceil_mode=True).flatten(2).transpose(1, 2)
                for v in (bands, bands**2)]
        self.means, self.squares = pool  # (scene, block, band)
        self.concentration, self.share, self.generator = concentration, share, generator

    def __call__(self, x: Tensor, scene: Tensor) -> Tensor:
        """Return patches (N, channel, H, W) of scenes (N,) under other mixes of blocks."""
        count, blocks = len(x), self.means.shape[1]
        # Dirichlet shares: gamma variates ÷ their sum, as logarithms, of which none is too small
        above = torch.full((count, blocks), self.concentration + 1, device=x.device)
        chance = torch.rand(count, blocks, device=x.device, generator=self.generator)
        logs = (torch._standard_gamma(above, generator=self.generator).log()
                + chance.clamp_min(1e-12).log() / self.concentration)
        shares = logs.softmax(1)[:, None]  # (N, 1, block)
        mean = (shares @ self.means[scene])[:, 0]
        sd = ((shares @ self.squares[scene])[:, 0] - mean**2).clamp_min(1e-6).sqrt()
        changed = torch.rand(count, 1, device=x.device, generator=self.generator) < self.share
        mean, sd = torch.where(changed, mean, 0.0), torch.where(changed, sd, 1.0)
        bands = (x[:, :len(BANDS)] - mean[..., None, None]) / sd[..., None, None]
        return torch.cat([bands, x[:, len(BANDS):]], dim=1)
