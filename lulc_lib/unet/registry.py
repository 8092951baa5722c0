"""The networks by name: one interface, (N, bands, H, W) to (N, classes, H, W)."""

from __future__ import annotations

from lulc_lib.errors import InputError
from lulc_lib.unet.networks import Network, OriginalUNet, UNet
from lulc_lib.unet.networks_more import FCN, UNetPlusPlus

NETWORKS: dict[str, type[Network]] = {
    "unet": UNet,
    "unet_original": OriginalUNet,
    "unet_plus_plus": UNetPlusPlus,
    "fcn": FCN,
}
"""Name in ``TrainConfig.network`` to network: the paper's U-Net, the first one, and the two that
the paper's authors piloted."""


def get_network(name: str) -> type[Network]:
    """The class of a named network, to be called with ``base``, ``depth`` and ``convolutions``.

    Raises
    ------
    InputError
        Unknown name.

    >>> get_network("fcn").__name__
    'FCN'
    """
    if name not in NETWORKS:
        raise InputError(f"network is {name!r}; it must be one of {', '.join(NETWORKS)}")
    return NETWORKS[name]
