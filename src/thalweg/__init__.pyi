"""Types of the public interface, for editors and type checkers; the documentation stands with the functions."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal

import pandas as pd
import xarray as xr

from thalweg.basin.domain import Domain as Domain
from thalweg.library import plot as plot
from thalweg.library.explain import Explanation
from thalweg.library.model import Model as Model
from thalweg.library.process import process as process

__version__: str

Path = str | PathLike[str]
Period = Sequence[Any]

def dataset(name: str, data: Path | None = None, **settings: Any) -> Domain: ...
def catchments(folder: Path, period: Period | None = None, **settings: Any) -> Domain: ...
def sites(folder: Path, **settings: Any) -> Domain: ...
def split(
    domain: Domain,
    kind: str = "temporal",
    *,
    train: Period,
    test: Period | None = None,
    variable: str | Mapping[str, float] | None = None,
    **keys: Any,
) -> pd.DataFrame: ...
def train(
    model: str,
    domain: Domain,
    split: pd.DataFrame,
    *,
    seeds: Iterable[int] = (0,),
    checkpoints: Path | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    **keys: Any,
) -> Model: ...
def load(name: Path) -> Model: ...
def predict(
    model: Model | Path, domain: Domain, *, members: bool = False, levels: Sequence[float] = (0.9,)
) -> xr.Dataset: ...
def fluxes(model: Model | Path, domain: Domain, names: Sequence[str] | None = None) -> xr.Dataset: ...
def evaluate(
    prediction: xr.Dataset,
    domain: Domain,
    metrics: Sequence[str] | None = None,
    *,
    split: pd.DataFrame | None = None,
    variable: str | None = None,
    minimum_values: int = 100,
) -> pd.DataFrame: ...
def explain(model: Model | Path, domain: Domain, place: str) -> Explanation: ...
