"""Networks over scenes of any height: rows of pixels come in parts and leave in parts.

Every layer keeps the rows that it needs again, so that nothing is computed twice and memory does
not grow with the height. A pixel's numbers do not depend on how the rows were parted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from itertools import tee

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lulc_lib.unet.model import Network, UNet

Rows = Iterator[Tensor]
"""Parts of a scene from top to bottom, each (1, channel, some rows, all columns)."""


def folded(network: Network, turns: int = 0, mirror: bool = False) -> Network:
    """Return a copy for prediction: batch normalisation is folded into the convolutions.

    Arrays have their channels last, which convolutions on a CPU want. The fixed input is left out.

    Parameters
    ----------
    network : Network
        Trained.
    turns, mirror : int, bool
        Turn the kernels, so that the copy makes of a scene what the network makes of the mirrored
        and turned one, turned back.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    network.stage = None
    for block in [m for m in network.modules() if isinstance(m, nn.Sequential)]:
        layers = list(block)
        for at, layer in enumerate(layers):
            if isinstance(layer, nn.BatchNorm2d):
                block[at - 1], block[at] = fuse_conv_bn_eval(layers[at - 1], layer), nn.Identity()
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = turned_back(parameter, turns, mirror)
    for name, layer in list(network.up.named_children()):
        if layer.kernel_size == (2, 2):
            setattr(network.up, name, _doubling(layer))
    network.to(memory_format=torch.channels_last)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.forward = partial(_convolve, layer, padding=(layer.kernel_size[0] // 2,) * 2)
    return network


def _doubling(layer: nn.ConvTranspose2d) -> nn.Sequential:
    """Return a 2×2 transposed convolution as a 1×1 convolution, whose results are laid out."""
    wide = skip_init(nn.Conv2d, layer.in_channels, 4 * layer.out_channels, 1)
    wide.requires_grad_(False)
    wide.weight.copy_(layer.weight.permute(1, 2, 3, 0).reshape(wide.weight.shape))
    wide.bias.copy_(layer.bias.repeat_interleave(4))
    return nn.Sequential(wide.to(layer.weight), nn.PixelShuffle(2))


def _convolve(layer: nn.Conv2d, x: Tensor, padding: tuple[int, int]) -> Tensor:
    """Return a convolution.

    On a CPU ``conv2d`` chooses among libraries by the size of ``x``, and their last bits differ.
    """
    if x.is_cpu and torch.backends.mkldnn.is_available():
        return torch.mkldnn_convolution(
            x, layer.weight, layer.bias, padding, layer.stride, layer.dilation, layer.groups)
    return functional.conv2d(x, layer.weight, layer.bias, padding=padding)


def turned_back(values: Tensor, turns: int, mirror: bool) -> Tensor:
    """Undo a mirroring of columns and the quarter turns that followed it."""
    values = torch.rot90(values, -turns, (-2, -1))
    return values.flip(-1) if mirror else values


def features(network: Network, rows: Rows, channels: int) -> Rows:
    """Return ``Network.features`` of the first ``channels`` channels."""
    rows = (part[:, :channels] for part in rows)
    if isinstance(network, UNet):
        return _unet(network, rows)
    step = 2**network.depth
    return (network.features(window)[:, :, first:last]
            for window, first, last in windows(rows, -(-network.trunk_radius // step) * step, step))


def _unet(network: UNet, rows: Rows, level: int = 0) -> Rows:
    """Return the features of a level of a U-Net, from those of the level above."""
    encoded = _block(network.encoder[level], rows)
    if level == network.depth:
        return encoded
    skip, down = tee(encoded)
    below = _unet(network, _pooled(down), level + 1)
    number = network.depth - 1 - level
    return _block(network.decoder[number], _joined(skip, map(network.up[number], below)))


def _block(block: nn.Sequential, rows: Rows) -> Rows:
    for layer in block:
        if isinstance(layer, nn.Conv2d):
            rows = _convolved(layer, rows)
    return rows


def _convolved(layer: nn.Conv2d, rows: Rows) -> Rows:
    """Yield a 3×3 convolution, padded with zeros, and ReLU."""
    held = None
    for part in rows:
        held = torch.cat([torch.zeros_like(part[:, :, :1]) if held is None else held, part], 2)
        del part  # what waits for the next rows is to hold two of them, not all
        if held.shape[2] > 2:
            given, held = [held], _copied(held[:, :, -2:])
            yield _activated(layer, given.pop())
    if held is not None:
        yield _activated(layer, functional.pad(held, (0, 0, 0, 1)))


def _copied(rows: Tensor) -> Tensor:
    return rows.clone(memory_format=torch.channels_last)


def _activated(layer: nn.Conv2d, held: Tensor) -> Tensor:
    return _convolve(layer, held, padding=(0, 1)).relu_()


def _pooled(rows: Rows) -> Rows:
    """Yield the maxima of 2×2 pixels; an odd last row has none."""
    odd = None
    for part in rows:
        whole = [part if odd is None else torch.cat([odd, part], 2)]
        del part
        pairs = whole[0].shape[2] // 2 * 2
        odd = _copied(whole[0][:, :, pairs:]) if pairs < whole[0].shape[2] else None
        if pairs:
            yield functional.max_pool2d(whole.pop()[:, :, :pairs], 2)


def _joined(skip: Rows, below: Rows) -> Rows:
    """Yield both together; where ``below`` lacks the last row or column, one is repeated."""
    for fine, coarse in aligned(skip, _endless(below)):
        missing = fine.shape[3] - coarse.shape[3]
        if missing:
            coarse = functional.pad(coarse, (0, missing, 0, 0), mode="replicate")
        yield torch.cat([fine, coarse], 1)


def _endless(rows: Rows) -> Rows:
    part = None
    for part in rows:
        yield part
    while part is not None:
        yield part[:, :, -1:]


def aligned(*streams: Rows) -> Iterator[tuple[Tensor, ...]]:
    """Yield parts of the same rows of every stream, until the first one ends."""
    held: list[Tensor | None] = [None] * len(streams)
    while True:
        for n, stream in enumerate(streams):
            if held[n] is None or not held[n].shape[2]:
                held[n] = next(stream, None)
                if held[n] is None:
                    return
        count = min(part.shape[2] for part in held)
        yield tuple(part[:, :, :count] for part in held)
        held = [part[:, :, count:] for part in held]


def windows(rows: Rows, margin: int, step: int = 1, dim: int = 2
            ) -> Iterator[tuple[Tensor, int, int]]:
    """Yield windows of rows that overlap, and which of their rows have ``margin`` around them.

    Parameters
    ----------
    rows : iterator of Tensor
        Parts of a scene.
    margin, step : int, rows
        Windows start on multiples of ``step``, of which ``margin`` is one.
    dim : int
        2 for rows from top to bottom, 3 for columns from left to right.

    Yields
    ------
    window, first, last : Tensor, int, int
        Rows ``first`` up to ``last`` are those of the window that no other window has as such; at
        the scene's edge they have no margin.
    """
    held, first = None, 0
    for part in rows:
        held = part if held is None else torch.cat([held, part], dim)
        last = first + max(held.shape[dim] - margin - first, 0) // step * step
        if last - first >= max(4 * margin, 1):
            yield held, first, last
            gone = max(last - margin, 0)
            held, first = held.narrow(dim, gone, held.shape[dim] - gone).clone(), last - gone
    if held is not None and first < held.shape[dim]:
        yield held, first, held.shape[dim]


def between(rows: Rows, start: int, stop: int) -> Rows:
    """Yield the rows from ``start`` up to ``stop``."""
    at = 0
    for part in rows:
        first, last = max(start - at, 0), min(stop - at, part.shape[2])
        if first < last:
            yield part[:, :, first:last]
        at += part.shape[2]


def parted(rows: Rows, count: int) -> Rows:
    """Yield the same rows in parts of at most ``count``."""
    for part in rows:
        yield from part.split(count, dim=2)


def extended(rows: Rows, more_rows: int, more_cols: int) -> Rows:
    """Yield the rows, with the last column and then the last row repeated so many times."""
    part = None
    for part in rows:
        if more_cols:
            part = functional.pad(part, (0, more_cols, 0, 0), mode="replicate")
        yield part
    if part is not None and more_rows:
        yield part[:, :, -1:].repeat(1, 1, more_rows, 1)
