"""Examples of the pages, run as they stand: what they print is compared, numbers to three percent."""

import doctest
import re
from pathlib import Path

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


def test_numbers_that_differ_are_seen():
    checker = Nearly()
    assert checker.check_output("a 100.0 mm\n", "a 101.0 mm\n", FLAGS)
    assert not checker.check_output("a 100.0 mm\n", "a 110.0 mm\n", FLAGS)
    assert not checker.check_output("a 100.0 mm\n", "b 100.0 mm\n", FLAGS)
