"""The block ``leaf`` of the configuration: photosynthesis learned from gas exchange."""

from typing import Annotated, Literal

from pydantic import Field

from thalweg.schema import Count, Part, Settings

LeafKind = Literal["leaf", "leaf_stomata", "leaf_lce"]


class LeafStudy(Settings):
    """Parameters of leaves, learned through the equations of photosynthesis and compared with fits curve by curve."""

    kinds: list[LeafKind] = Field(
        ["leaf", "leaf_stomata"],
        description="leaf: A-Ci curves of one genotype; leaf_stomata: its stomatal conductance; leaf_lce: 598 A-Ci curves of 96 species",
    )
    held_out: list[Literal["curves", "species", "locations"]] = Field(
        ["curves"],
        description="whole curves held out, beside points within curves: each curve, or all of a species or location; one that a dataset has no label for is left out of it",
    )
    every: Annotated[int, Field(ge=2)] = Field(4, description="one point of so many is held out within a curve")
    folds: Annotated[int, Field(ge=2)] = Field(3, description="groups of held-out curves")
    seeds: list[int] = Field([0], description="of the networks' first weights")
    steps: Count = Field(100, description="optimiser steps")
    learning_rate: Annotated[float, Field(gt=0)] = Field(0.03, description="at the first step")
    hidden: Count = Field(16, description="width of the network")
    bootstrap: Count = Field(1000, description="resamples of groups for intervals of parameter skill")
    noise: list[Part | Literal[0]] = Field(
        [0, 0.05, 0.1],
        description="relative noise of synthetic assimilation, from which known parameters are recovered",
    )
    recovery_leaves: Count = Field(100, description="synthetic leaves")
    recovery_steps: Count = Field(100, description="optimiser steps of the recovery")
