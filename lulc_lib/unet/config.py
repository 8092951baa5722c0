"""Training settings in one place: every number with its unit, named configurations as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from lulc_lib.errors import InputError
from lulc_lib.legend import code
from lulc_lib.unet.device import PRECISIONS
from lulc_lib.unet.normalise import check_name
from lulc_lib.unet.registry import get_network

LASTING: tuple[str, ...] = ("conifer", "mixed_forest", "urban", "road")
"""Classes of land that was the same on every date of the study's sites; pits and lakes were not."""

SCHEDULES: tuple[str, ...] = ("constant", "one_cycle")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training run and how its network makes maps, except the data and
    the seed."""

    name: str
    # network
    base: int  # channels of the first block
    network: str = "unet"  # name in registry.NETWORKS
    depth: int = 4  # poolings
    convolutions: int = 3  # 3×3 convolutions in a block
    # input
    normalisation: str = "per_scene"  # name in normalise.NORMALISATIONS
    members: tuple[str, ...] = ()  # normalisations of an ensemble's networks; empty: one network
    votes: tuple[float, ...] = ()  # how much each of them counts; empty: all the same
    patch: int = 64  # pixels, edge of a patch
    batch: int = 16  # patches in a step
    centre_balance: float = 1.0  # 0 middles as labelled, 1 every class equally often
    radiometric_sd: float = 0.0  # units of the normalised input; shake of gain and offset
    mixture: float = 0.0  # concentration of another mix of landscapes (mixture.py); 0 none
    mixture_share: float = 0.5  # of the patches that see another mix
    # labels
    lasting: tuple[str, ...] = ()  # classes whose labels hold on every date (lasting.py)
    validation_share: float = 0.3  # of the labelled blocks
    block: int = 40  # pixels, edge of a block of the split by place
    # loss
    gamma: float = 2.0  # exponent of the focal loss
    weight_power: float = 0.5  # class weights ∝ count^−power; 0 none, 1 full balance
    # steps
    epochs: int = 10  # the network is judged and saved after each
    steps_per_epoch: int | None = 50  # batches; None: enough patches to cover the scenes once
    learning_rate: float = 0.003  # the highest of the schedule
    schedule: str = "one_cycle"  # name in SCHEDULES
    weight_decay: float = 0.0001  # L2 penalty of Adam
    ema: float = 0.0  # decay of the running mean of the weights, which then makes the maps; 0 none
    patience: int = 0  # epochs without a better macro F1 on labels held back; 0 never stops early
    precision: str = "auto"  # name in device.PRECISIONS
    # maps
    prior: float = 0.0  # exponent of the classes' shares of the labels (prior.py); 0 none
    tta: bool = False  # mean over the eight turned and mirrored copies of a scene

    def __post_init__(self) -> None:
        get_network(self.network)
        for name in (self.normalisation, *self.members):
            check_name(name)
        for key in self.lasting:
            code(key)
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}"
                )
        if not 0 <= self.ema < 1:
            raise InputError(f"ema is {self.ema}; it must be at least 0 and below 1")
        if self.patch < 2**self.depth:
            raise InputError(
                f"patch is {self.patch}; it must be at least {2**self.depth} pixels "
                f"({self.depth} poolings)"
            )
        for name in ("batch", "epochs", "block", "base", "depth", "convolutions"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.learning_rate <= 0:
            raise InputError(f"learning_rate is {self.learning_rate}; it must be above 0")

    def with_(self, **changes: object) -> TrainConfig:
        """A copy with some settings changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, object]:
        """Plain types, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> TrainConfig:
        """The inverse of :meth:`to_dict`; a setting this version does not know is refused."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise InputError(f"unknown training settings: {', '.join(sorted(unknown))}")
        listed = {k: tuple(values[k]) for k in ("members", "votes", "lasting") if k in values}
        return cls(**{**values, **listed})


CONFIGS: dict[str, TrainConfig] = {
    c.name: c
    for c in (
        TrainConfig("smoke", base=4, depth=2, patch=32, batch=4, epochs=2, steps_per_epoch=10,
                    block=16, learning_rate=0.02),
        TrainConfig("default", base=16, mixture=0.1, lasting=LASTING, weight_power=0.25,
                    validation_share=0.1, epochs=10, steps_per_epoch=100, ema=0.99, tta=True),
        TrainConfig("study", base=16, normalisation="per_scene_and_indices",
                    members=("per_scene", "per_scene_and_indices"), votes=(3.0, 5.0), mixture=0.1,
                    lasting=LASTING, weight_power=0.25, validation_share=0.0, epochs=30,
                    steps_per_epoch=100, ema=0.99, prior=0.1, tta=True),
        TrainConfig("paper", base=64, normalisation="reflectance", patch=100, batch=4,
                    centre_balance=0.0, weight_power=1.0, epochs=25, steps_per_epoch=None,
                    learning_rate=0.001, schedule="constant", weight_decay=0.001),
    )
}
"""``smoke`` for tests (seconds), ``default`` for two CPU cores (minutes), ``study`` for the model
that ships with the package (a quarter of an hour for a seed), ``paper`` as Table 5.

The settings of ``default`` and ``study`` were chosen by leaving one training date out at a time
(``experiments/leave_one_date_out.py``), never on the test scene. ``paper`` takes Table 5's
"balance 1" as class weights that make every class count the same.
"""


def get_config(name: str) -> TrainConfig:
    """A named configuration.

    Raises
    ------
    InputError
        Unknown name.

    >>> get_config("paper").patch
    100
    """
    if name not in CONFIGS:
        raise InputError(f"configuration is {name!r}; it must be one of {', '.join(CONFIGS)}")
    return CONFIGS[name]


def steps_per_epoch(config: TrainConfig, pixels: int) -> int:
    """Batches in an epoch for scenes with ``pixels`` pixels in all.

    >>> steps_per_epoch(get_config("paper"), 6 * 401 * 401)
    24
    """
    if config.steps_per_epoch is not None:
        return config.steps_per_epoch
    return max(pixels // config.patch**2 // config.batch, 1)
