"""The tutorials: executed, light, without numbers that their cells do not print; run again by the long tests."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from conftest import DATA, dataset
from test_docs import DOCS, NAMES, ROOT, prose

sys.path.insert(0, str(DOCS))
import notebooks

DATASETS = {"train": "delaware", "elsewhere": "delaware", "prior": "delaware", "water_temperature": "thames"}
PICTURE_BYTES = 200_000
PATHS = pytest.mark.parametrize("path", notebooks.paths().values(), ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def text_of(output):
    data = output.get("data", {})
    return "".join(["".join(output.get("text", "")), *("".join(v) for k, v in data.items() if k.startswith("text/"))])


def test_every_tutorial_is_in_the_navigation():
    loader = type("Loader", (yaml.SafeLoader,), {})
    nav = loader((ROOT / "mkdocs.yml").read_text()).get_data()["nav"]
    pages = next(section["Tutorials"] for section in nav if "Tutorials" in section)
    listed = {Path(next(iter(page.values()))).stem for page in pages if isinstance(page, dict)}
    assert listed == set(notebooks.paths()) == set(DATASETS)


@PATHS
def test_a_notebook_is_kept_as_it_was_run(path):
    """Every cell ran once, in order and without an error; the last shows a figure; nothing names a folder of a machine."""
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert all(output["output_type"] != "error" for output in outputs)
    assert not [text for text in map(text_of, outputs) if re.search(r"(?<![\w.])/\w+/\w+/|\x1b", text)]
    _, pictures = notebooks.page(path)
    assert notebooks.picture_of(code[-1]) in pictures.values()
    assert all(1000 < len(picture) < PICTURE_BYTES for picture in pictures.values())


@PATHS
def test_the_sentences_of_a_notebook_hold_no_number(path):
    text = prose("\n\n".join("".join(cell["source"]) for cell in cells(path, "markdown")))
    assert re.findall(r"(?<![\w.])\d[\d.,]*", re.sub("|".join(NAMES), "", text)) == []


@PATHS
def test_a_page_shows_what_the_notebook_shows(path):
    text, pictures = notebooks.page(path)
    assert re.findall(r"!\[.*?\]\((.*?)\)", text) == list(pictures)
    assert text.count("```python") == len(cells(path, "code"))
    assert text.startswith("# ") and "<style" not in text and 'class="dataframe"' not in text


@pytest.mark.long
@PATHS
def test_a_notebook_runs_in_an_empty_folder(path, tmp_path):
    dataset(DATASETS[path.stem])
    (tmp_path / "data").symlink_to(DATA)
    done = notebooks.execute(path, tmp_path)
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert len(notebooks.picture_of(code[-1])) > 10_000
