"""What declares itself: figures and analyses of the package and of others, their jobs, and the figure of the workflow."""

import ast
import base64
import inspect
import json
import re
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
from docutils.core import publish_parts
from jinja2 import Environment
from PIL import Image

from thalweg.experiments import plan, register
from thalweg.experiments.places import PLACES
from thalweg.experiments.stages import stages
from thalweg.figures import workflow_graph
from thalweg.registry import load, names, source
from thalweg.schema import ConfigError
from thalweg.settings.files import read_study

CONFIG = Path(__file__).parents[1] / "config"


@pytest.fixture(scope="module")
def study():
    return read_study(CONFIG, {})


@pytest.mark.parametrize("kind", ["figure", "analysis"])
def test_every_one_of_the_package_declares_itself_and_says_what_it_is(kind):
    for name in names(kind):
        declared = register.declaration(kind, name)
        assert declared.title and declared.caption.endswith(".") and len(declared.caption) > 20, name
    assert len(names(kind)) >= 10


@pytest.mark.parametrize(("kind", "function"), [("figure", "draw"), ("analysis", "analyse")])
def test_functions_take_what_their_declaration_gives_them(kind, function):
    for name in names(kind):
        declared = register.declaration(kind, name)
        given = {*declared.reads, *declared.given}
        taken = inspect.signature(getattr(load(kind, name), function)).parameters
        needed = {one for one, parameter in taken.items() if parameter.default is inspect.Parameter.empty}
        assert given <= set(taken), name
        assert needed <= given | set(PLACES[declared.of][0]), name


def test_a_file_that_draws_is_declared():
    folder = Path(source("thalweg.figures")).parent
    drawing = {path.stem for path in folder.glob("*.py") if "\ndef draw(" in path.read_text()}
    assert drawing == set(names("figure"))


@pytest.mark.parametrize("kind", ["figure", "analysis"])
def test_outputs_are_made_once_and_what_is_read_is_made_by_somebody(study, kind):
    jobs = register.jobs(study, kind)
    outputs = [path for job in jobs for path, *_ in job.outputs]
    assert len(set(outputs)) == len(outputs)
    assert len({job.name for job in jobs}) == len(jobs)
    tables = {path for job in register.jobs(study, "analysis") for path, *_ in job.outputs}
    read = {path for job in jobs for path in job.inputs if "/tables/" in path}
    by_hand = ("skill", "summary", "comparison", "claims", "leaf", "canopy", "twin_priors", "twin_river")
    assert {path for path in read - tables if Path(path).parts[3].removesuffix(".csv") not in by_hand} == set()


def test_a_kind_of_figure_is_one_job_and_a_heavy_analysis_one_for_each_place(study):
    (job,) = [job for job in register.jobs(study, "figure") if job.of == "hydrographs"]
    assert len(job.outputs) == len(PLACES["hydrograph_experiments"][1](study)) == len(json.loads(job.calls)) > 1
    heavy = [job for job in register.jobs(study, "analysis") if job.of == "elasticity"]
    assert [len(job.outputs) for job in heavy] == [2] * len(plan.later_periods(study))


def test_the_report_of_the_default_study_shows_about_forty_figures(study):
    shown = [path for job in register.jobs(study, "figure") if job.declared.shown for path, *_ in job.outputs]
    assert len(shown) <= 44


def test_calls_longer_than_a_command_line_are_several_jobs(study, monkeypatch):
    monkeypatch.setattr(register, "LONGEST", 2000)
    jobs = [job for job in register.jobs(study, "figure") if job.of == "hydrographs"]
    assert len(jobs) > 1 and jobs[1].name == "figure_hydrographs_2"
    assert sum(len(job.outputs) for job in jobs) == len(plan.hydrograph_experiments(study))


def test_evidence_goes_to_the_claims(study):
    found = register.evidence(register.jobs(study, "analysis"))
    assert "results/default/tables/elasticity/delaware/temporal_evidence.csv" in found
    assert all(path.endswith("_evidence.csv") for path in found)


def test_a_figure_is_given_its_place_and_what_the_plan_says(study):
    (job,) = [job for job in register.jobs(study, "figure") if job.of == "skill_map"]
    first = json.loads(job.calls)[0]
    assert first["place"] == {"domain": "delaware", "experiment": "temporal"}
    assert first["arguments"]["models"] == plan.leading(study, "delaware", "temporal")
    assert first["arguments"]["map_folder"] == "data/map" and "data/map/dataset.json" in job.inputs


def write(folder, monkeypatch, text):
    (folder / "elsewhere_drawn.py").write_text(text)
    monkeypatch.syspath_prepend(folder)


def test_a_function_elsewhere_is_declared_beside_it(tmp_path, monkeypatch, study):
    lines = ["import a_module_that_is_not_installed", "", "", "def bars(summary):", "    pass", "", ""]
    lines += ["bars.declared = Declared(of='study', reads={'summary': 'summary'}, title='bars', caption='Bars.')"]
    write(tmp_path, monkeypatch, "\n".join(lines))
    declared = register.declaration("figure", "elsewhere_drawn:bars")
    assert declared.title == "bars" and declared.reads == {"summary": "summary"}
    both = study.model_copy(update={"figures": ["elsewhere_drawn:bars"]})
    (job,) = [job for job in register.jobs(both, "figure") if job.of == "elsewhere_drawn:bars"]
    assert job.name == "figure_bars" and job.inputs == ["results/default/tables/summary.csv"]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("pass", r"does not declare itself; write bars.declared = Declared"),
        ("bars.declared = Declared(of=bars, reads={}, title='', caption='')", "is not readable .* plain values"),
        (
            "bars.declared = Declared(of='moon', reads={}, title='', caption='')",
            "of is 'moon', but must be one of study",
        ),
        ("bars.declared = Declared(of='study', reads={}, given={'a': 'b'}, title='', caption='')", "has no b"),
        ("bars.declared = Declared(colour='red')", "is not readable .*colour"),
        ("bars.declared = Declared(of='study', reads={'a': 'domain'}, title='', caption='')", "reads 'domain', which"),
    ],
)
def test_a_wrong_declaration_names_the_file_and_the_mend(tmp_path, monkeypatch, study, declared, message):
    write(tmp_path, monkeypatch, f"def bars(a):\n    pass\n\n\n{declared}\n")
    with pytest.raises(ConfigError, match=message):
        register.jobs(study.model_copy(update={"figures": ["elsewhere_drawn:bars"]}), "figure")


def test_the_story_is_in_order_and_of_what_is_drawn(study):
    jobs = register.jobs(study, "figure")
    told = [Path(one.path).relative_to("results/default/figures").parts[0] for one in register.story(jobs)]
    assert 7 <= len(told) <= 9 and told[:2] == ["workflow_graph.png", "claims.png"]
    assert {one.path for one in register.story(jobs)} <= {path for job in jobs for path, *_ in job.outputs}


def test_declarations_are_plain_values_so_that_no_module_is_imported_for_planning():
    for kind, variable in register.VARIABLES.items():
        for name in names(kind):
            tree = ast.parse(source(register.module_of(kind, name)).read_text())
            call = register._declaring(tree, variable, "")
            assert all(ast.literal_eval(keyword.value) is not None for keyword in call.keywords), name


# The figure of the workflow


def test_the_stages_are_about_a_dozen_and_hang_together(study):
    found = stages(study)
    boxes = {box["name"]: box for box in found["boxes"]}
    assert 10 <= len(boxes) <= 16
    assert boxes["regrid"]["column"] < boxes["train_runoff"]["column"] < boxes["test_runoff"]["column"]
    for start, end in found["arrows"]:
        assert boxes[start]["column"] < boxes[end]["column"]
    assert "ungauged basins" in boxes["test_runoff"]["lines"] and boxes["samples"]["lines"] == ["thames"]


def test_arrows_of_the_workflow_pass_no_box(study):
    figure = workflow_graph.draw(stages(study))
    (axes,) = figure.axes
    boxes = [patch.get_window_extent() for patch in axes.patches if hasattr(patch, "get_boxstyle")]
    assert len(boxes) == len(stages(study)["boxes"])
    for arrow in (patch for patch in axes.patches if not hasattr(patch, "get_boxstyle")):
        way = axes.transData.transform(arrow.get_path().interpolated(20).vertices)
        inner = way[(way[:, 0] > way[0, 0] + 2) & (way[:, 0] < way[-1, 0] - 2)]
        assert not any(box.padded(-1).contains(*point) for box in boxes for point in inner)
    plt.close("all")


def test_text_of_the_workflow_stays_in_its_box(study):
    figure = workflow_graph.draw(stages(study))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    boxes = [patch.get_window_extent() for patch in axes.patches if hasattr(patch, "get_boxstyle")]
    for text in axes.texts:
        extent = text.get_window_extent()
        assert any(box.x0 <= extent.x0 and extent.x1 <= box.x1 and box.y0 <= extent.y0 for box in boxes), (
            text.get_text()
        )


def test_an_arrow_needs_its_stages():
    box = {"name": "a", "title": "a", "lines": ["b"], "column": 0, "row": 0}
    with pytest.raises(ValueError, match="from 'a' to 'z', but the stages are a"):
        workflow_graph.draw({"boxes": [box], "arrows": [["a", "z"]]})


# The report


def test_the_first_page_of_the_report_holds_its_figures(tmp_path):
    Image.effect_noise((600, 400), 80).save(tmp_path / "noise.png")
    pictures = [register.Picture(str(tmp_path / "noise.png"), f"figure {number}", "A caption.") for number in range(2)]
    text = (CONFIG.parent / "workflow/report/study.rst").read_text()
    page = (
        Environment()
        .from_string(text)
        .render(snakemake=SimpleNamespace(config={"study": "default", "story": pictures}))
    )
    body = publish_parts(page, writer_name="html")["html_body"]
    assert "system-message" not in body and body.count("<img") == 2 and "Figure 1." in body
    content = re.findall(r'src="data:image/png;base64,([^"]*)"', body)
    assert [base64.b64decode(each) for each in content] == [(tmp_path / "noise.png").read_bytes()] * 2
