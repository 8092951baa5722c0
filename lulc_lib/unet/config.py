"""Training settings in one place: every number with its unit, named configurations as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from lulc_lib.errors import InputError
from lulc_lib.legend import code
from lulc_lib.unet.device import PRECISIONS
from lulc_lib.unet.model import get_network
from lulc_lib.unet.normalise import check_name

STABLE_CLASSES: tuple[str, ...] = ("conifer", "mixed_forest", "urban", "road")
"""Classes of land that was the same on every date of the study's sites; pits and lakes were not."""

SCHEDULES: tuple[str, ...] = ("constant", "one_cycle")


@dataclass(frozen=True)
class TrainConfig:
    """Everything but data and seed that decides a training run and how its maps are made."""

    name: str
    # network
    base_channels: int  # channels of the first block
    network: str = "unet"  # name in model.NETWORKS
    depth: int = 4  # poolings
    convolutions: int = 3  # 3×3 convolutions in a block
    # input
    normalisation: str = "per_scene"  # name in normalise.NORMALISATIONS
    members: tuple[str, ...] = ()  # normalisations of an ensemble's networks; empty: one network
    member_weights: tuple[float, ...] = ()  # of their probabilities; empty: all the same
    # patches
    patch_size: int = 64  # pixels, edge
    batch_size: int = 16  # patches in a step
    class_balanced_sampling: float = 1.0  # 0 centres as labelled, 1 every class equally often
    # augmentations besides turning and mirroring, see dataset.AUGMENTATIONS
    statistics_augmentation: float = 0.0  # Dirichlet concentration of block shares; 0 none
    statistics_augmentation_share: float = 0.5  # of the patches that are augmented so
    radiometric_jitter: float = 0.0  # sd of gain and offset, units of the normalised input; 0 none
    # labels
    propagated_classes: tuple[str, ...] = ()  # keys; labels hold on every date of a site
    validation_share: float = 0.3  # of the labelled blocks
    block_size: int = 40  # pixels, edge of a block of the split by place
    # loss
    focal_gamma: float = 2.0  # exponent of the focal loss
    class_weight_power: float = 0.5  # class weights ∝ count^−power; 0 none, 1 full balance
    # steps
    epochs: int = 10  # the network is evaluated and saved after each
    steps_per_epoch: int | None = 50  # batches; None: enough patches to cover the scenes once
    learning_rate: float = 0.003  # the highest of the schedule
    schedule: str = "one_cycle"  # name in SCHEDULES
    weight_decay: float = 0.0001  # L2 penalty of Adam
    ema_decay: float = 0.0  # of the exponential moving average of the weights; 0 none
    patience: int = 0  # epochs without a better macro F1 on held-out labels; 0 never stops early
    precision: str = "auto"  # name in device.PRECISIONS
    # maps
    logit_adjustment: float = 0.0  # exponent of the classes' shares of the labels; 0 none
    tta: bool = False  # test-time augmentation: mean over the eight turned and mirrored copies

    def __post_init__(self) -> None:
        """Raise InputError unless every setting can be used."""
        get_network(self.network)
        for name in (self.normalisation, *self.members):
            check_name(name)
        for key in self.propagated_classes:
            code(key)
        for name, allowed in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(allowed)}"
                )
        if not 0 <= self.ema_decay < 1:
            raise InputError(f"ema_decay is {self.ema_decay}; it must be at least 0 and below 1")
        if self.patch_size < 2**self.depth:
            raise InputError(
                f"patch_size is {self.patch_size}; it must be at least {2**self.depth} pixels "
                f"({self.depth} poolings)"
            )
        for name in ("batch_size", "epochs", "block_size", "base_channels", "depth",
                     "convolutions"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.learning_rate <= 0:
            raise InputError(f"learning_rate is {self.learning_rate}; it must be above 0")

    def with_(self, **changes: object) -> TrainConfig:
        """Return a copy with some settings changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, object]:
        """Return the settings as plain types, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> TrainConfig:
        """Invert :meth:`to_dict`; settings that are not there keep their defaults.

        Raises
        ------
        InputError
            A setting has an unknown name (see ``checkpoint.RENAMED_SETTINGS`` for former ones).
        """
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"unknown training settings: {', '.join(sorted(unknown))}")
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


CONFIGS: dict[str, TrainConfig] = {
    c.name: c
    for c in (
        TrainConfig("smoke", base_channels=4, depth=2, patch_size=32, batch_size=4, epochs=2,
                    steps_per_epoch=10, block_size=16, learning_rate=0.02),
        TrainConfig("default", base_channels=16, statistics_augmentation=0.1,
                    propagated_classes=STABLE_CLASSES, class_weight_power=0.25,
                    validation_share=0.1, epochs=10, steps_per_epoch=100, ema_decay=0.99,
                    tta=True),
        TrainConfig("study", base_channels=16, normalisation="per_scene_and_indices",
                    members=("per_scene", "per_scene_and_indices"), member_weights=(3.0, 5.0),
                    statistics_augmentation=0.1, propagated_classes=STABLE_CLASSES,
                    class_weight_power=0.25, validation_share=0.0, epochs=30,
                    steps_per_epoch=100, ema_decay=0.99, logit_adjustment=0.1, tta=True),
        TrainConfig("paper", base_channels=64, normalisation="reflectance", patch_size=100,
                    batch_size=4, class_balanced_sampling=0.0, class_weight_power=1.0, epochs=25,
                    steps_per_epoch=None, learning_rate=0.001, schedule="constant",
                    weight_decay=0.001),
    )
}
"""``smoke`` for tests (seconds), ``default`` for two CPU cores (minutes), ``study`` for the model
that ships with the package (a quarter of an hour for a seed), ``paper`` as Table 5.

The settings of ``default`` and ``study`` were chosen leave-one-date-out
(``experiments/leave_one_date_out.py``), never on the test scene. ``paper`` takes Table 5's
"balance 1" as class weights that make every class count the same.
"""


def get_config(name: str) -> TrainConfig:
    """Return a named configuration.

    Raises
    ------
    InputError
        Unknown name.

    Examples
    --------
    >>> get_config("paper").patch_size
    100
    """
    if name not in CONFIGS:
        raise InputError(f"configuration is {name!r}; it must be one of {', '.join(CONFIGS)}")
    return CONFIGS[name]


def steps_per_epoch(config: TrainConfig, pixels: int) -> int:
    """Return the batches in an epoch for scenes with ``pixels`` pixels in all.

    Examples
    --------
    >>> steps_per_epoch(get_config("paper"), 6 * 401 * 401)
    24
    """
    if config.steps_per_epoch is not None:
        return config.steps_per_epoch
    return max(pixels // config.patch_size**2 // config.batch_size, 1)
