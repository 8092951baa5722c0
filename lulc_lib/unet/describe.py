"""What a U-Net consists of, read from its modules and from the tensors that pass through them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import torch
from torch import nn
from torchinfo import summary

from lulc_lib.unet.model import UNet

LAYERS: dict[type[nn.Module], str] = {
    nn.Conv2d: "Conv{k}×{k}", nn.BatchNorm2d: "BN", nn.ReLU: "ReLU",
    nn.ConvTranspose2d: "ConvTrans{k}×{k}"}


class Stage(NamedTuple):
    """A part of a network and what it hands on."""

    name: str  # input, encoder n (after n poolings), bottleneck, up n, decoder n or logits
    layers: str  # in words, as "3 × (Conv3×3, BN, ReLU)"; empty for the input
    shape: tuple[int, int, int]  # channels, rows, columns for a patch of the size asked for
    parameters: int  # numbers that training can change


def layers_of(block: nn.Module) -> str:
    """Return the layers of a block in words, equal runs counted.

    Examples
    --------
    >>> from lulc_lib.unet.model import conv_block
    >>> layers_of(conv_block(10, 16, 3))
    '3 × (Conv3×3, BN, ReLU)'
    """
    leaves = [m for m in block.modules() if type(m) in LAYERS]
    words = [LAYERS[type(m)].format(k=getattr(m, "kernel_size", (0,))[0]) for m in leaves]
    runs, text = set(Counter(words).values()), ", ".join(dict.fromkeys(words))
    return f"{runs.pop()} × ({text})" if runs != {1} and len(runs) == 1 else text


def stages(model: UNet, patch: int = 100) -> list[Stage]:
    """Return the stages of a U-Net in the order of the computation, with shapes for one patch.

    Parameters
    ----------
    model : UNet
        The network; nothing in it changes.
    patch : int, pixels
        Edge of the patch that is passed through; 100 is the paper's.
    """
    names: dict[nn.Module, str] = {m: f"encoder {n}" for n, m in enumerate(model.encoder)}
    names |= {model.encoder[-1]: "bottleneck", model.head: "logits"}
    for level, up, block in zip(reversed(range(model.depth)), model.up, model.decoder, strict=True):
        names |= {up: f"up {level}", block: f"decoder {level}"}
    x = torch.zeros(1, model.in_channels, patch, patch)
    passed = summary(model, input_data=x, depth=2, device="cpu", verbose=0).summary_list
    return [Stage("input", "", (model.in_channels, patch, patch), 0), *(
        Stage(names[part.module], layers_of(part.module), tuple(part.output_size[1:]),
              part.num_params)
        for part in passed if part.module in names)]


def differences(models: dict[str, UNet]) -> dict[str, dict[str, str]]:
    """Return what networks are made of, part by part (the paper's Table 4).

    Parameters
    ----------
    models : dict of str to UNet
        Networks by name.

    Returns
    -------
    dict
        Name to {``encoder block``, ``bottleneck``, ``decoder block``, ``output``,
        ``parameters``}.
    """
    table = {}
    for name, model in models.items():
        padding = model.encoder[0][0].padding
        table[name] = {
            "encoder block": f"{layers_of(model.encoder[0])}; MaxPool2×2; padding = {padding}",
            "bottleneck": f"{layers_of(model.encoder[-1])}; padding = {padding}",
            "decoder block": f"{layers_of(model.up[0])}; replication padding; skip-concat; "
                             f"{layers_of(model.decoder[0])}",
            "output": f"{layers_of(model.head)}, {model.head.out_channels} classes",
            "parameters": f"{sum(p.numel() for p in model.parameters()):,}"}
    return table
