"""Examples of the pages, run as they stand: what they print is compared, numbers to three percent."""

import doctest
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import DATA, dataset

ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
TOLERANCE = 0.03


class Nearly(doctest.OutputChecker):
    """Output is right when its words are and its numbers are near: they differ a little between processors."""

    def check_output(self, want, got, flags):
        if super().check_output(want, got, flags):
            return True
        pairs = list(zip(NUMBER.findall(want), NUMBER.findall(got)))
        near = all(float(b) == pytest.approx(float(a), rel=TOLERANCE, abs=0.011) for a, b in pairs)
        return near and super().check_output(NUMBER.sub("0", want), NUMBER.sub("0", got), flags)


def examples(page):
    """The blocks of a page that begin with >>>, a text of sessions."""
    blocks = re.findall(r"```python\n(>>>.*?)```", (ROOT / "docs/guides" / page).read_text(), re.DOTALL)
    return "\n\n".join(blocks)


def run(text, name):
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    said = []
    runner = doctest.DocTestRunner(Nearly(), optionflags=FLAGS)
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
    return len(test.examples)


@pytest.mark.long
def test_a_process_alone(tmp_path, monkeypatch):
    text = examples("single_basin.md")
    made_up, real = text.split(">>> from thalweg.datasets.france")
    monkeypatch.chdir(tmp_path)
    assert run(made_up, "run") >= 20
    dataset("france")
    (tmp_path / "data").symlink_to(DATA)
    start = ">>> from thalweg import process\n"
    assert run(f"{start}>>> from thalweg.datasets.france{real}", "calibrate") >= 8
    assert (tmp_path / "bruche.png").stat().st_size > 10_000


@pytest.mark.long
def test_a_trained_model(tmp_path, monkeypatch):
    """The Python of the page on trained models runs as it stands, but for the number of optimiser steps."""
    text = (ROOT / "docs/guides/trained_models.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    own_folder(tmp_path / "my_rivers", "2001-01-01", "2020-12-31")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(re.sub(r"steps=\d+", "steps=2, window='300 days', spin_up='100 days'", block), names)
    assert names["flow"].discharge.notnull().all() and (tmp_path / "flow.png").stat().st_size > 10_000
    assert len(names["scores"]) == 3 and names["few"].header["started_from"]["name"] == "hbv-basic-us"
    assert (tmp_path / "hbv.safetensors").exists()


def own_folder(folder, first, last):
    """Three catchments in the form of the page on own data, with discharge."""
    generator, days = np.random.default_rng(2), pd.date_range(first, last)
    (folder / "timeseries").mkdir(parents=True)
    rows = {
        "basin": ["mill", "ford", "weir"],
        "area [km2]": [42.7, 118.0, 310.0],
        "latitude [degree]": [41.2, 41.0, 40.8],
    }
    rows |= {
        "longitude [degree]": [-75.3, -75.1, -74.9],
        "elevation [m]": [463, 397, 250],
        "slope [dimensionless]": [0.06, 0.05, 0.03],
    }
    pd.DataFrame(rows).to_csv(folder / "attributes.csv", index=False)
    for basin, area in zip(rows["basin"], rows["area [km2]"]):
        mean = 9 - 13 * np.cos(2 * np.pi * (days.dayofyear - 20) / 365) + generator.normal(0, 4, len(days))
        rain = generator.gamma(0.8, 11.0, len(days)) * (generator.random(len(days)) < 0.33)
        flow = pd.Series(rain).ewm(halflife=6).mean() * 0.4 * area / 86.4
        columns = {"time": days, "precipitation [mm]": rain, "minimum_temperature [degC]": mean - 6}
        columns |= {"maximum_temperature [degC]": mean + 6, "discharge [m3/s]": flow.to_numpy()}
        pd.DataFrame(columns).round(3).to_csv(folder / "timeseries" / f"{basin}.csv", index=False)


def test_numbers_that_differ_are_seen():
    checker = Nearly()
    assert checker.check_output("a 100.0 mm\n", "a 101.0 mm\n", FLAGS)
    assert not checker.check_output("a 100.0 mm\n", "a 110.0 mm\n", FLAGS)
    assert not checker.check_output("a 100.0 mm\n", "b 100.0 mm\n", FLAGS)
