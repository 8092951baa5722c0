"""Where networks run, and with which precision they learn."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import torch

from lulc_lib.errors import check_choice

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, as in malloc.h."""

HEAP = 1 << 26
"""Bytes: smaller arrays share one stretch of memory."""

PRECISIONS: tuple[str, ...] = ("auto", "float32", "bfloat16")
"""Names in ``TrainConfig.precision``."""

LAYOUT = torch.channels_last
"""Order of the network's arrays in memory while it learns: a fifth faster than the default on a
CPU, measured with 16 base channels and 16 patches of 64 × 64 pixels."""

for _function in (torch.exp, torch.log, torch.expm1):
    # torch's vector functions choose their code when they are first called; two threads that do so
    # at once now and then get one with a relative error of 1e-4, and results could not be repeated
    _function(torch.ones(1))


def keep_freed_memory() -> None:
    """Tell the C library to use large arrays' memory again instead of giving it back at once.

    Else the kernel hands it out, and clears it, anew for every layer of a network: a tenth of the
    time on a CPU. Where there is no ``mallopt`` (glibc has one) nothing happens.
    """
    with suppress(AttributeError, OSError, TypeError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(MMAP_THRESHOLD, HEAP)
        adjust(TRIM_THRESHOLD, 8 * HEAP)


def give_back_memory() -> None:
    """Give what is free back to the system all the same, before work that takes other arrays."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def pick_device() -> torch.device:
    """Return the accelerator if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of a training step's convolutions; weights and loss stay float32.

    Parameters
    ----------
    name : str
        ``auto`` takes bfloat16 where the device multiplies it in hardware (NVIDIA from Ampere on,
        Intel CPUs with AMX), where it is two to three times as fast, and float32 elsewhere.
    device : torch.device
        Where the network learns.

    Raises
    ------
    InputError
        Unknown name.
    """
    check_choice("precision", name, PRECISIONS)
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool(torch.cpu.get_capabilities().get("amx_bf16", False))
    return torch.bfloat16 if fast else torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Return a context in which convolutions compute in ``precision``."""
    return torch.autocast(device.type, dtype=torch.bfloat16,
                          enabled=precision == torch.bfloat16, cache_enabled=False)
