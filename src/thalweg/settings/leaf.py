"""The block ``leaf``: photosynthesis learned from gas exchange."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from thalweg.schema import Count, Part, Settings


class Leaves(NamedTuple):
    """A kind of leaves.

    Attributes:
        builder: function that makes the domain and its curves of the dataset's folder, as module and name.
        dataset: name in the catalogue.
        meaning: for people.
        attribute, label: of leaves, on the axis of their parameters; None where no curve is drawn.
        held_out: the group whose predicted parameters are drawn against it.
    """

    builder: tuple[str, str]
    dataset: str
    meaning: str
    attribute: str | None = None
    label: str | None = None
    held_out: str | None = None


LEAVES = {
    "leaf": Leaves(
        ("leaf", "build"),
        "leaf",
        "A-Ci curves of one genotype",
        *("mean_leaf_temperature", "leaf temperature [°C]", "curves"),
    ),
    "leaf_stomata": Leaves(("leaf", "build_stomata"), "leaf", "stomatal conductance of that genotype"),
    "leaf_lce": Leaves(
        ("leaf_lce", "build"),
        "leaf-lce",
        "598 A-Ci curves of 96 species",
        *("growth_temperature", "growth temperature [°C]", "species"),
    ),
}
LeafKind = Literal[tuple(LEAVES)]


class LeafStudy(Settings):
    """Parameters of leaves, learned through the equations of photosynthesis and compared with fits of single curves."""

    kinds: Annotated[list[LeafKind], Field(min_length=1)] = Field(
        description="datasets. " + "; ".join(f"{name}: {leaves.meaning}" for name, leaves in LEAVES.items())
    )
    held_out: list[Literal["curves", "species", "locations"]] = Field(
        ["curves"],
        description="units held out in folds, in addition to points within curves; a dataset without the label skips it",
    )
    every: Annotated[int, Field(ge=2)] = Field(4, description="within a curve, one point in this many is held out")
    folds: Annotated[int, Field(ge=2)] = Field(3, description="folds of held-out curves, species or locations")
    seeds: list[int] = Field([0], description="random seeds; one training for each")
    steps: Count = Field(100, description="optimiser steps")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.03, description="learning rate at the first step")
    hidden: Count = Field(16, description="width of the network")
    bootstrap: Count = Field(1000, description="bootstrap resamples of groups, for intervals of parameter skill")
    noise: list[Part | Literal[0]] = Field(
        [0, 0.05, 0.1],
        description="relative noise of synthetic assimilation, from which known parameters are recovered",
    )
    recovery_leaves: Count = Field(100, description="number of synthetic leaves")
    recovery_steps: Count = Field(100, description="optimiser steps of the recovery")
