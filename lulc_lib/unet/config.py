"""Training settings in one place: every number with its unit, named configurations as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import inf, isfinite
from numbers import Integral, Real

from lulc_lib.errors import InputError, check_choice
from lulc_lib.legend import code
from lulc_lib.unet.augment import AugmentConfig
from lulc_lib.unet.device import PRECISIONS
from lulc_lib.unet.inputs import FIXED_INPUTS
from lulc_lib.unet.model import get_network
from lulc_lib.unet.normalise import check_name

STABLE_CLASSES: tuple[str, ...] = ("conifer", "mixed_forest", "urban", "road")
"""Classes of land that was the same on every date of the study's sites; pits and lakes were not."""

DROPPED_SETTINGS = ("radiometric_sd", "radiometric_jitter")
"""Settings of former files that only training needed; they are not read."""

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
    # augmentations besides turning and mirroring
    augment: AugmentConfig | None = None  # of reflectance, for a fixed input only
    statistics_augmentation: float = 0.0  # Dirichlet concentration of block shares; 0 none
    statistics_augmentation_share: float = 0.5  # of the patches that are augmented so
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
    temperature: float = 1.0  # divides the logits, so that probabilities mean what they say
    tta: bool = False  # test-time augmentation: mean over the eight turned and mirrored copies

    def __post_init__(self) -> None:
        """Raise InputError unless every setting can be used."""
        for setting in fields(self):
            value = getattr(self, setting.name)
            if not _fits(value, setting.type):
                raise InputError(f"{setting.name} is {value!r}; it must be {setting.type}"
                                 f"{', and finite' if 'float' in setting.type else ''}")
        get_network(self.network)
        for name in (self.normalisation, *self.members):
            check_name(name)
        for key in self.propagated_classes:
            code(key)
        for name, allowed in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            check_choice(name, getattr(self, name), allowed)
        if not 0 <= self.ema_decay < 1:
            raise InputError(f"ema_decay is {self.ema_decay}; it must be at least 0 and below 1")
        for name, most in {"batch_size": inf, "epochs": inf, "block_size": inf,
                           "base_channels": 1024, "depth": 8, "convolutions": 16}.items():
            if not 1 <= getattr(self, name) <= most:
                limit = "at least 1" if most == inf else f"1 to {most}"
                raise InputError(f"{name} is {getattr(self, name)}; it must be {limit}")
        if self.patch_size < 2**self.depth:
            raise InputError(
                f"patch_size is {self.patch_size}; it must be at least {2**self.depth} pixels "
                f"({self.depth} poolings)")
        for name in ("learning_rate", "temperature"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} is {getattr(self, name)}; it must be above 0")
        scaled = [n for n in self.members or (self.normalisation,) if n not in FIXED_INPUTS]
        if self.augment is not None and scaled:
            raise InputError(f"augment changes reflectance; with normalisation {scaled[0]} it must "
                             f"be None (it works with {', '.join(FIXED_INPUTS)})")

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
        values = {k: v for k, v in values.items() if k not in DROPPED_SETTINGS}
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"unknown training settings: {', '.join(sorted(unknown))}")
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        if isinstance(values.get("augment"), Mapping):
            plain["augment"] = AugmentConfig(**{
                k: tuple(v) if isinstance(v, list) else v for k, v in values["augment"].items()})
        return cls(**plain)


def _fits(value: object, kind: str) -> bool:
    """Tell whether a value is of a kind as it stands in the class; a float must be finite."""
    if kind.endswith(" | None"):
        return value is None or _fits(value, kind.removesuffix(" | None"))
    if kind.startswith("tuple["):
        inner = kind.removeprefix("tuple[").removesuffix(", ...]")
        return isinstance(value, tuple) and all(_fits(v, inner) for v in value)
    kinds = {"int": Integral, "float": Real, "str": str, "bool": bool,
             "AugmentConfig": AugmentConfig}
    return isinstance(value, kinds[kind]) and (kind != "float" or isfinite(value))


RECIPE = TrainConfig(
    "recipe", base_channels=16, depth=3, convolutions=2, normalisation="log_indices_texture",
    augment=AugmentConfig(), propagated_classes=STABLE_CLASSES, validation_share=0.0,
    class_weight_power=0.25, epochs=5, steps_per_epoch=100, learning_rate=0.002, ema_decay=0.99)
"""What ``default`` and ``study`` share; as it is, the run that experiments compare."""

CONFIGS: dict[str, TrainConfig] = {
    c.name: c
    for c in (
        TrainConfig("smoke", base_channels=4, depth=2, patch_size=32, batch_size=4, epochs=2,
                    steps_per_epoch=10, block_size=16, learning_rate=0.02),
        RECIPE.with_(name="default", validation_share=0.1, epochs=10, steps_per_epoch=100),
        RECIPE.with_(name="study", epochs=12, steps_per_epoch=100,
                     members=("log_indices_texture",) * 3 + ("relative_indices_texture",) * 3),
        TrainConfig("paper", base_channels=64, normalisation="reflectance", patch_size=100,
                    batch_size=4, class_balanced_sampling=0.0, class_weight_power=1.0, epochs=25,
                    steps_per_epoch=None, learning_rate=0.001, schedule="constant",
                    weight_decay=0.001))}
"""``smoke`` for tests (seconds), ``default`` for two CPU cores (minutes), ``study`` for the model
that ships with the package (an ensemble), ``paper`` as Table 5.

The settings of ``default`` and ``study`` were chosen by seasons and places left out
(``experiments/protocols.py``), never on the test scene. ``paper`` takes Table 5's "balance 1" as
class weights that make every class count the same.
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
    check_choice("configuration", name, CONFIGS)
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
