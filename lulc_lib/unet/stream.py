"""Networks over scenes of any height: rows of pixels come in parts and leave in parts.

Every layer keeps the rows that it needs again, so that nothing is computed twice and memory does
not grow with the height. A pixel's numbers do not depend on how the rows were parted.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init
from torch.nn.utils.fusion import fuse_conv_bn_weights

from lulc_lib.unet.model import Network, UNet

T = TypeVar("T")

Rows = Iterator[Tensor]
"""Parts of a scene from top to bottom, each (1, channel, some rows, all columns)."""

Pieces = Iterator[list[list[Tensor]]]
"""The same, not laid out yet: each part is tensors below each other, of channels beside each other.
"""


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
                before = layers[at - 1]
                before.weight, before.bias = fuse_conv_bn_weights(
                    before.weight, before.bias, layer.running_mean, layer.running_var, layer.eps,
                    layer.weight, layer.bias)
                block[at] = nn.Identity()
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


def _convolve(layer: nn.Conv2d, x: Tensor, padding: tuple[int, int], relu: bool = False) -> Tensor:
    """Return a convolution, and ReLU of it if asked for.

    On a CPU ``conv2d`` chooses among libraries by the size of ``x``, and their last bits differ.
    """
    if not (x.is_cpu and torch.backends.mkldnn.is_available()):
        found = functional.conv2d(x, layer.weight, layer.bias, padding=padding)
        return found.relu_() if relu else found
    given = (x, layer.weight, layer.bias, padding, layer.stride, layer.dilation, layer.groups)
    if relu:
        return torch.ops.mkldnn._convolution_pointwise(*given, "relu", [], "")
    return torch.mkldnn_convolution(*given)


def turned_back(values: Tensor, turns: int, mirror: bool) -> Tensor:
    """Undo a mirroring of columns and the quarter turns that followed it."""
    values = torch.rot90(values, -turns, (-2, -1))
    return values.flip(-1) if mirror else values


def features(network: Network, rows: Rows, channels: int, height: int) -> Rows:
    """Return ``Network.features`` of the first ``channels`` channels of ``height`` rows in all."""
    rows = map(itemgetter((slice(None), slice(channels))), rows)
    if isinstance(network, UNet):
        return _unet(network, map(_alone, rows), height)
    step = 2**network.depth
    return (network.features(window)[:, :, first:last]
            for window, first, last in windows(rows, -(-network.trunk_radius // step) * step, step))


def _unet(network: UNet, pieces: Pieces, height: int, level: int = 0) -> Rows:
    """Return the features of a level of a U-Net, from those of the level above."""
    encoded = _block(network.encoder[level], pieces, height, level)
    if level == network.depth:
        return encoded
    skip, down = shared(encoded, 2)
    below = _unet(network, _pooled(down), height // 2, level + 1)
    number = network.depth - 1 - level
    joined = _joined(skip, map(network.up[number], below))
    return _block(network.decoder[number], joined, height, level)


def _block(block: nn.Sequential, pieces: Pieces, height: int, level: int) -> Rows:
    """Return a block's features.

    At full resolution it costs less to compute a few rows of a convolution twice than to lay its
    many rows out for the next one.
    """
    layers = [layer for layer in block if isinstance(layer, nn.Conv2d)]
    for together in [layers] if level == 0 else [[layer] for layer in layers]:
        rows = _convolved(together, pieces, height)
        pieces = map(_alone, rows)
    return rows


def _alone(part: Tensor) -> list[list[Tensor]]:
    return [[part]]


def _convolved(layers: list[nn.Conv2d], pieces: Pieces, height: int) -> Rows:
    """Yield 3×3 convolutions with ReLU of ``height`` rows in all, padded with zeros."""
    held, done, top, reach = None, 0, True, 2 * len(layers)
    for part in pieces:
        done += sum(beside[0].shape[2] for beside in part)
        held, last = _laid_out(held, part), done == height
        del part  # what waits for the next rows is to hold few of them, not all
        if last or held.shape[2] > reach:
            given, held = [held], None if last else _copied(held[:, :, -reach:])
            yield _chained(layers, given, top, last)
            top = False


def _chained(layers: list[nn.Conv2d], given: list[Tensor], top: bool, last: bool) -> Tensor:
    """Return convolutions one after the other; only at the scene's edge they pad rows."""
    x, padding = given.pop(), (int(top or last), 1)
    for layer in layers:
        x = _convolve(layer, x, padding, relu=True)
        if padding[0]:
            x = x[:, :, int(not top):x.shape[2] - int(not last)]
    return x


def _laid_out(held: Tensor | None, pieces: list[list[Tensor]]) -> Tensor:
    """Return rows that were held and pieces below them as one."""
    beside, above = pieces[0], 0 if held is None else held.shape[2]
    if held is None and len(pieces) == len(beside) == 1:
        return beside[0]
    rows = above + sum(tensors[0].shape[2] for tensors in pieces)
    cols, channels = beside[0].shape[3], sum(tensor.shape[1] for tensor in beside)
    out = torch.empty((1, channels, rows, cols), dtype=beside[0].dtype, device=beside[0].device,
                      memory_format=torch.channels_last)
    if above:
        out[:, :, :above] = held
    for tensors in pieces:
        below, first = above + tensors[0].shape[2], 0
        for tensor in tensors:
            there = out[:, first:first + tensor.shape[1], above:below]
            there[..., :tensor.shape[3]] = tensor
            if tensor.shape[3] < cols:  # the last column is repeated
                there[..., tensor.shape[3]:] = tensor[..., -1:]
            first += tensor.shape[1]
        above = below
    return out


def _copied(rows: Tensor) -> Tensor:
    return rows.clone(memory_format=torch.channels_last)


def _pooled(rows: Rows) -> Pieces:
    """Yield the maxima of 2×2 pixels; an odd last row has none."""
    odd = None
    for part in rows:
        pieces = []
        if odd is not None:
            pieces.append([functional.max_pool2d(torch.cat([odd, part[:, :, :1]], 2), 2)])
            part = part[:, :, 1:]
        pairs = part.shape[2] // 2 * 2
        odd = _copied(part[:, :, pairs:]) if pairs < part.shape[2] else None
        if pairs:
            pieces.append([functional.max_pool2d(part[:, :, :pairs], 2)])
        del part
        if pieces:
            given, pieces = [pieces], None
            yield given.pop()


def _joined(skip: Rows, below: Rows) -> Pieces:
    """Yield both beside each other; where ``below`` lacks the last row, one is repeated.

    What has waited for the scene's end comes in parts of the usual size.
    """
    fine = next(skip)
    for coarse in parted(_endless(below), 2 * fine.shape[2]):
        pieces, at = [], 0
        while at < coarse.shape[2] and (fine is not None or (fine := next(skip, None)) is not None):
            count = min(fine.shape[2], coarse.shape[2] - at)
            pieces.append([fine[:, :, :count], coarse[:, :, at:at + count]])
            fine, at = fine[:, :, count:] if count < fine.shape[2] else None, at + count
        del coarse
        if not pieces:
            return
        given, pieces = [pieces], None
        yield given.pop()


def _endless(rows: Rows) -> Rows:
    part = None
    for part in rows:
        yield part
    while part is not None:
        yield part[:, :, -1:]


def shared(parts: Iterator[T], count: int) -> list[Iterator[T]]:
    """Return so many iterators over the same parts; what all have had is forgotten.

    (``itertools.tee`` forgets 57 at a time.)
    """
    return unzipped(map(partial(_repeated, count), parts), count)


def _repeated(count: int, part: T) -> tuple[T, ...]:
    return (part,) * count


def unzipped(tuples: Iterator[tuple[T, ...]], count: int) -> list[Iterator[T]]:
    """Return an iterator over the first values of tuples, one over the second ones, and so on."""
    waiting: list[deque[T]] = [deque() for _ in range(count)]

    def one(mine: deque[T]) -> Iterator[T]:
        while True:
            if not mine:
                try:
                    values = next(tuples)
                except StopIteration:
                    return
                for each, value in zip(waiting, values, strict=True):
                    each.append(value)
                del values, value
            yield mine.popleft()

    return [one(mine) for mine in waiting]


def aligned(rows: Rows, *others: Rows) -> Iterator[tuple[Tensor, ...]]:
    """Yield each part of a stream with the same rows of others, until one of them ends."""
    rows, *copies = shared(rows, 1 + len(others))
    cut = [_cut(other, (part.shape[2] for part in copy))
           for other, copy in zip(others, copies, strict=True)]
    for *same, part in zip(*cut, rows, strict=False):
        yield part, *same


def _cut(rows: Rows, counts: Iterator[int]) -> Rows:
    """Yield the same rows in parts of so many."""
    held: list[Tensor] = []
    for count in counts:
        missing = count - sum(part.shape[2] for part in held)
        while missing > 0 and (part := next(rows, None)) is not None:
            held.append(part)
            missing -= part.shape[2]
        if not held:
            return
        whole = held[0] if len(held) == 1 else torch.cat(held, 2)
        held = [whole[:, :, count:]] if whole.shape[2] > count else []
        part = None  # it is kept as part of ``held`` only
        yield whole[:, :, :count]


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
    held, count, first = [], 0, 0
    for part in rows:
        held.append(part)
        count += part.shape[dim]
        last = first + max(count - margin - first, 0) // step * step
        if last - first >= max(4 * margin, 1):
            del part
            held = [torch.cat(held, dim) if len(held) > 1 else held[0]]
            yield held[0], first, last
            gone = max(last - margin, 0)
            held, first = [held[0].narrow(dim, gone, count - gone).clone()], last - gone
            count -= gone
    if first < count:
        yield torch.cat(held, dim) if len(held) > 1 else held[0], first, count


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
        while part.shape[2] > count:
            yield part[:, :, :count]
            part = part[:, :, count:]
        given, part = [part], None
        yield given.pop()


def extended(rows: Rows, more_rows: int, more_cols: int) -> Rows:
    """Yield the rows, with the last column and then the last row repeated so many times."""
    part = None
    for part in rows:
        if more_cols:
            part = functional.pad(part, (0, more_cols, 0, 0), mode="replicate")
        yield part
    if part is not None and more_rows:
        yield part[:, :, -1:].repeat(1, 1, more_rows, 1)
