"""The networks by name, all from (N, channels, H, W) to logits (N, classes, H, W), and ensembles.

Source: Hejmanowska et al. 2025, section 2.3.1 and Table 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor, nn
from torch.nn import functional

from lulc_lib import legend
from lulc_lib.data.bands import BANDS
from lulc_lib.errors import InputError, check_choice
from lulc_lib.unet.inputs import FixedInput


def conv_block(in_channels: int, out_channels: int, convolutions: int, batch_norm: bool = True
               ) -> nn.Sequential:
    """Chain (3×3 convolution, batch normalisation, ReLU), padded so that the size stays.

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
    """Repeat the last row and column of ``x`` (N, C, h, w) up to the size of ``like``."""
    rows, cols = like.shape[-2] - x.shape[-2], like.shape[-1] - x.shape[-1]
    return functional.pad(x, (0, cols, 0, rows), mode="replicate") if rows or cols else x


class Network(nn.Module):
    """The part that all networks share: the encoder, and how far they see.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    classes : int
        Classes of the legend, in the order of ``legend.CODES``.
    base_channels : int
        Channels of the first block; each pooling doubles them.
    depth : int
        Number of 2×2 poolings. Rows and columns must be at least 2**depth, else any number: a
        pooling of an odd size drops a row or column, and on the way up the last one is repeated
        (replication padding).
    convolutions : int, optional
        3×3 convolutions in each block; ``DEFAULT_CONVOLUTIONS`` of the network unless given.
    stage : FixedInput, optional
        What makes the first block's channels of reflectance; unless given, they are the input.
    """

    temperature = 1.0  # by which prediction divides the logits

    DEFAULT_CONVOLUTIONS = 2
    BATCH_NORM = True
    FULL_RESOLUTION = True  # the last layer sees every pixel

    def __init__(self, in_channels: int = len(BANDS), classes: int = len(legend.CODES),
                 base_channels: int = 64, depth: int = 4, convolutions: int | None = None,
                 stage: FixedInput | None = None) -> None:
        super().__init__()
        convolutions = self.DEFAULT_CONVOLUTIONS if convolutions is None else convolutions
        for name, value in (("base_channels", base_channels), ("depth", depth),
                            ("convolutions", convolutions)):
            if value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        self.in_channels, self.depth, self.convolutions = in_channels, depth, convolutions
        self.stage = stage
        self.widths = [base_channels * 2**level for level in range(depth + 1)]
        inputs = [in_channels if stage is None else stage.channels, *self.widths[:-1]]
        self.encoder = nn.ModuleList(
            self._block(i, o) for i, o in zip(inputs, self.widths, strict=True))
        self._add_decoder(classes)

    def _add_decoder(self, classes: int) -> None:
        """Add the layers that follow the encoder, the last of them as ``head``."""
        raise NotImplementedError

    def _block(self, in_channels: int, out_channels: int) -> nn.Sequential:
        """Return a block of this network's kind."""
        return conv_block(in_channels, out_channels, self.convolutions, self.BATCH_NORM)

    def encode(self, x: Tensor) -> list[Tensor]:
        """Return the encoder's features, finest first: (N, base·2^level, H/2^level, W/2^level).

        Raises
        ------
        InputError
            H or W is below 2**depth.
        """
        rows, cols = x.shape[-2:]
        if min(rows, cols) < 2**self.depth:
            raise InputError(
                f"patch is {rows}×{cols}; rows and columns must be at least {2**self.depth} "
                f"({self.depth} poolings)")
        features = [self.encoder[0](x if self.stage is None else self.stage(x))]
        for block in self.encoder[1:]:
            features.append(block(functional.max_pool2d(features[-1], 2)))
        return features

    def _encoder_radii(self) -> list[int]:
        """Return the radius in pixels of the receptive field of each level of the encoder."""
        radii = [self.convolutions + (0 if self.stage is None else self.stage.radius)]
        for level in range(1, self.depth + 1):
            radii.append(radii[-1] + 2 ** (level - 1) + self.convolutions * 2**level)
        return radii

    def _radius(self) -> int:
        """Return the radius in pixels of the receptive field of a pixel's logits."""
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        """Return what the last layer sees of normalised input: (N, feature, H, W)."""
        raise NotImplementedError

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (N, classes, H, W) of :meth:`features`."""
        return self.head(features)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, classes, H, W) of normalised input (N, in_channels, H, W)."""
        return self.logits(self.features(x))

    @property
    def trunk_radius(self) -> int:
        """Radius in pixels of the receptive field in what the first block sees."""
        return self._radius() - (0 if self.stage is None else self.stage.radius)

    @property
    def margin(self) -> int:
        """Radius of the receptive field in pixels, rounded up to a multiple of 2**depth.

        Tiles that start on multiples of 2**depth and overlap by this much give the same logits
        as the whole scene.
        """
        step = 2**self.depth
        return -(-self._radius() // step) * step


class UNet(Network):
    """The paper's U-Net; parameters as in :class:`Network`, whose defaults are the paper's.

    Source: Table 4.
    """

    DEFAULT_CONVOLUTIONS = 3

    def _add_decoder(self, classes: int) -> None:
        finer: Sequence[int] = self.widths[-2::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in finer)
        self.decoder = nn.ModuleList(self._block(2 * w, w) for w in finer)
        self.head = nn.Conv2d(self.widths[0], classes, 1)

    def _radius(self) -> int:
        decoder = sum(self.convolutions * 2**level for level in range(self.depth))
        return self._encoder_radii()[-1] + decoder

    def features(self, x: Tensor) -> Tensor:
        """Return what the last layer sees of normalised input: (N, base, H, W)."""
        *skips, x = self.encode(x)                          # (N, base·2^depth, H/2^depth, …)
        for up, block in zip(self.up, self.decoder, strict=True):
            skip = skips.pop()                              # (N, base·2^level, H/2^level, …)
            x = block(torch.cat([skip, pad_to(up(x), skip)], dim=1))
        return x                                            # (N, base, H, W)


class OriginalUNet(UNet):
    """The first U-Net: two convolutions with ReLU a block and no batch normalisation.

    Parameters as in :class:`Network`. Its convolutions are padded here, so that the logits cover
    the whole input. Without batch normalisation the first weights matter: they are drawn with a
    standard deviation of √(2 / inputs of a neuron), as its authors did.

    Source: Ronneberger et al. 2015, Figure 1 and section 3.
    """

    DEFAULT_CONVOLUTIONS = 2
    BATCH_NORM = False

    def _add_decoder(self, classes: int) -> None:
        """Add the decoder of a U-Net and draw all first weights."""
        if self.convolutions != 2:
            raise InputError(
                f"convolutions is {self.convolutions}; the original U-Net has 2 in each block")
        super()._add_decoder(classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)


class UNetPlusPlus(Network):
    """U-Net with nested skip connections, without deep supervision; the paper's authors piloted it.

    Parameters as in :class:`Network`. Node (level, step) joins all earlier nodes of its level with
    the node one level below, brought to its size; step 0 is the encoder, and the logits are read
    from the last node of level 0.

    Source: Zhou et al. 2018, equation 1 and Figure 1a.
    """

    def _add_decoder(self, classes: int) -> None:
        self.up, self.nodes = nn.ModuleDict(), nn.ModuleDict()
        for level, step in self._order():
            width = self.widths[level]
            key = f"{level}_{step}"
            self.up[key] = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
            self.nodes[key] = self._block((step + 1) * width, width)
        self.head = nn.Conv2d(self.widths[0], classes, 1)

    def _order(self) -> list[tuple[int, int]]:
        """Return (level, step) of the nodes beyond the encoder, each after those it needs."""
        return [(level, step) for step in range(1, self.depth + 1)
                for level in range(self.depth - step + 1)]

    def _radius(self) -> int:
        radii = {(level, 0): r for level, r in enumerate(self._encoder_radii())}
        for level, step in self._order():
            before = [radii[level, s] for s in range(step)] + [radii[level + 1, step - 1]]
            radii[level, step] = max(before) + self.convolutions * 2**level
        return radii[0, self.depth]

    def features(self, x: Tensor) -> Tensor:
        """Return what the last layer sees of normalised input: (N, base, H, W)."""
        nodes = [[features] for features in self.encode(x)]  # level → nodes so far
        for level, step in self._order():
            key = f"{level}_{step}"
            below = pad_to(self.up[key](nodes[level + 1][step - 1]), nodes[level][0])
            nodes[level].append(self.nodes[key](torch.cat([*nodes[level], below], dim=1)))
        return nodes[0][-1]


class FCN(Network):
    """Fully convolutional network: logits at three scales, added and brought to full size.

    Parameters as in :class:`Network`; the paper's authors piloted it. The two finer scales are the
    two levels above the deepest (fewer if there are not as many); with ``depth`` 5 their pixels
    are 8, 16 and 32 wide, the arrangement called FCN-8s. It has one block of ours where the first
    one has VGG-16, so it is light. Doubling is a learned 4×4 transposed convolution that starts as
    bilinear interpolation; the last enlargement is bilinear.

    Source: Long et al. 2015, Figure 3 and section 4.
    """

    def _add_decoder(self, classes: int) -> None:
        self.finest = max(self.depth - 2, 0)
        levels = range(self.depth, self.finest - 1, -1)  # deepest first
        self.scores = nn.ModuleList(nn.Conv2d(self.widths[level], classes, 1) for level in levels)
        self.up = nn.ModuleList(_doubling(classes) for _ in levels[1:])

    @property
    def head(self) -> nn.Conv2d:
        """The last convolution; its bias adds to the logits."""
        return self.scores[-1]

    def _radius(self) -> int:
        enlarging = sum(2**level for level in range(self.finest + 1, self.depth + 1))
        last = 2**self.finest if self.finest else 0
        return self._encoder_radii()[-1] + enlarging + last

    FULL_RESOLUTION = False

    def features(self, x: Tensor) -> Tensor:
        """Return the logits themselves: no layer of this network sees full resolution."""
        features = self.encode(x)
        total = self.scores[0](features.pop())              # (N, classes, H/2^depth, …)
        for score, up in zip(self.scores[1:], self.up, strict=True):
            finer = score(features.pop())
            total = finer + pad_to(up(total), finer)        # (N, classes, H/2^level, …)
        if self.finest:
            total = functional.interpolate(
                total, scale_factor=float(2**self.finest), mode="bilinear", align_corners=False)
        return pad_to(total, x)                             # (N, classes, H, W)

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits."""
        return features


def _doubling(channels: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution to twice the size that starts as bilinear interpolation."""
    up = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        up.weight.zero_()
        for channel in range(channels):
            up.weight[channel, channel] = torch.outer(ramp, ramp)
    return up


NETWORKS: dict[str, type[Network]] = {
    "unet": UNet,
    "unet_original": OriginalUNet,
    "unet_plus_plus": UNetPlusPlus,
    "fcn": FCN,
}
"""Name in ``TrainConfig.network`` to network."""


def get_network(name: str) -> type[Network]:
    """Return the class of a named network.

    Raises
    ------
    InputError
        Unknown name.

    Examples
    --------
    >>> get_network("fcn").__name__
    'FCN'
    """
    check_choice("network", name, NETWORKS)
    return NETWORKS[name]


TINY = torch.finfo(torch.float32).tiny
"""Least probability of which a logarithm is taken."""


class Ensemble(nn.Module):
    """Weighted soft voting: the weighted mean of several networks' probabilities, as one network.

    Parameters
    ----------
    members : sequence of Network
        Trained networks for the same classes. One that takes fewer channels than the input has
        gets the first ones.
    weights : sequence of float, optional
        How much each member's probability counts, above 0, in any unit; all the same unless given.

    Raises
    ------
    InputError
        No member, or weights that do not fit them.
    """

    temperature = 1.0  # by which prediction divides the logits

    def __init__(self, members: Sequence[Network], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if not len(members):
            raise InputError("an ensemble of 0 networks was asked for; it needs at least one")
        weights = tuple(weights or [1.0] * len(members))
        if len(weights) != len(members) or not all(0 < w < inf for w in weights):
            raise InputError(f"member weights are {weights}; there must be one above 0 for each of "
                             f"the {len(members)} networks")
        self.shares = [w / sum(weights) for w in weights]
        self.members = nn.ModuleList(members)
        self.depth = max(m.depth for m in members)

    def vote(self, probabilities: Sequence[Tensor]) -> Tensor:
        """Return the weighted mean of each member's probability (N, classes, H, W)."""
        total, *others = (share * p for share, p in zip(self.shares, probabilities, strict=True))
        return sum(others, start=total)

    @property
    def margin(self) -> int:
        """Radius of the receptive field in pixels, rounded up to a multiple of 2**depth."""
        step = 2**self.depth
        return -(-max(m._radius() for m in self.members) // step) * step

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithm of the members' weighted mean probability (N, classes, H, W)."""
        each = [m(x[:, :m.in_channels]).softmax(dim=1) for m in self.members]
        return self.vote(each).clamp_min(TINY).log()
