"""What a U-Net consists of, read from its modules and from the tensors that pass through them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lulc_lib.unet.networks import UNet

LAYERS: dict[type[nn.Module], str] = {
    nn.Conv2d: "Conv{k}×{k}", nn.BatchNorm2d: "BN", nn.ReLU: "ReLU",
    nn.ConvTranspose2d: "ConvTrans{k}×{k}",
}


@dataclass(frozen=True)
class Stage:
    """A part of a network and what it hands on.

    Attributes
    ----------
    name : ``input``, ``encoder n`` (n poolings before it), ``bottleneck``, ``up n``, ``decoder n``
        or ``scores``.
    layers : its layers in words, as "3 × (Conv3×3, BN, ReLU)"; empty for the input.
    shape : (channels, rows, columns) of what it gives for a patch of the size asked for.
    parameters : numbers that training can change.
    """

    name: str
    layers: str
    shape: tuple[int, int, int]
    parameters: int


def layers_of(block: nn.Module) -> str:
    """The layers of a block in words, equal runs counted.

    >>> from lulc_lib.unet.networks import conv_block
    >>> layers_of(conv_block(10, 16, 3))
    '3 × (Conv3×3, BN, ReLU)'
    """
    leaves = [m for m in block.modules() if type(m) in LAYERS]
    words = [LAYERS[type(m)].format(k=getattr(m, "kernel_size", (0,))[0]) for m in leaves]
    kinds = list(dict.fromkeys(words))
    runs = set(Counter(words).values())
    text = ", ".join(kinds)
    return f"{runs.pop()} × ({text})" if runs != {1} and len(runs) == 1 else text


@torch.no_grad()
def stages(model: UNet, patch: int = 100) -> list[Stage]:
    """The stages of a U-Net in the order of the computation, with real shapes for one patch.

    Parameters
    ----------
    model : the network; nothing in it changes.
    patch : pixels, edge of the patch that is passed through; 100 is the paper's.
    """
    rooms = [*((f"encoder {n}", m) for n, m in enumerate(model.encoder[:-1])),
             ("bottleneck", model.encoder[-1])]
    for n, up, block in zip(range(model.depth - 1, -1, -1), model.up, model.decoder, strict=True):
        rooms += [(f"up {n}", up), (f"decoder {n}", block)]
    rooms.append(("scores", model.head))
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _: object, out: Tensor) -> None:
        shapes[module] = tuple(out.shape[1:])

    hooks = [module.register_forward_hook(note) for _, module in rooms]
    was_training = model.training
    try:
        model.eval()(torch.zeros(1, model.in_channels, patch, patch))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return [Stage("input", "", (model.in_channels, patch, patch), 0), *(
        Stage(name, layers_of(m), shapes[m], sum(p.numel() for p in m.parameters()))
        for name, m in rooms)]


def differences(models: dict[str, UNet]) -> dict[str, dict[str, str]]:
    """What networks are made of, part by part (the paper's Table 4).

    Parameters
    ----------
    models : name to network.

    Returns
    -------
    name → {``encoder block``, ``bottleneck``, ``decoder block``, ``output``, ``parameters``}.
    """
    table = {}
    for name, model in models.items():
        first, up = layers_of(model.encoder[0]), layers_of(model.up[0])
        padding = model.encoder[0][0].padding
        table[name] = {
            "encoder block": f"{first}; MaxPool2×2; padding = {padding}",
            "bottleneck": f"{layers_of(model.encoder[-1])}; padding = {padding}",
            "decoder block": f"{up}; replication padding; skip-concat; "
                             f"{layers_of(model.decoder[0])}",
            "output": f"{layers_of(model.head)}, {model.head.out_channels} classes",
            "parameters": f"{sum(p.numel() for p in model.parameters()):,}",
        }
    return table
