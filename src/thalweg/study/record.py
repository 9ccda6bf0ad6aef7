"""A dated record of a study's results: what the README shows comes from here."""

import shutil
from pathlib import Path

import pandas as pd

from thalweg.store import atomic, read_provenance, sidecar

TABLES = (
    "summary.csv",
    "comparison.csv",
    "gauges_delaware.csv",
    "gauges_susquehanna.csv",
    "cevennes_areas.csv",
    "cevennes_volume.csv",
)
FOLDERS = (
    ("river", "*.csv"),
    ("recovery", "*[!s].csv"),
    ("canopy", "[sp]*.csv"),
    ("leaf", "*.csv"),
    ("sites", "*.csv"),
)
LEFT_OUT = (  # long tables, whose summaries are kept, and those that repeat a dataset's own columns
    *("sites/skill.csv", "points.csv", "leaves.csv"),
    *(f"leaf_lce/{name}.csv" for name in ("curves", "fits", "parameters", "skill")),
)
START, END = "<!-- results: written by 'thalweg record' -->", "<!-- end of results -->"
SITES_START, SITES_END = "<!-- sites: written by 'thalweg record' -->", "<!-- end of sites -->"


def result_table(summary, labels):
    """Medians of NSE and KGE by experiment and model, as a Markdown table.

    Args:
        summary: DataFrame of :func:`thalweg.study.statistics.summarise`.
        labels: model -> label.

    Returns:
        str: one row per domain, experiment and model: gauges, median with 95 % interval over gauges, range over seeds.
    """
    lines = [
        "| domain, experiment | model | gauges | median NSE (95 % interval) | NSE over seeds | median KGE (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for (domain, experiment), group in summary.groupby(["domain", "experiment"], sort=False):
        for model, rows in group.groupby("model", sort=False):
            nse, kge = (rows[rows.metric == metric].iloc[0] for metric in ("NSE", "KGE"))
            seeds = f"{nse.seed_low:.2f} to {nse.seed_high:.2f}" if nse.seeds > 1 else "-"
            lines.append(
                f"| {domain}, {experiment} | {labels.get(model, model)} | {nse.gauges} | {_interval(nse)} | {seeds} | {_interval(kge)} |"
            )
    return "\n".join(lines)


def _interval(row):
    return f"{row['median']:.3f} ({row.low:.2f}, {row.high:.2f})"


def site_table(summary, experiments, labels):
    """Medians of RMSE, bias and NSE at sites by experiment and model, as a Markdown table.

    Args:
        summary: DataFrame of :func:`thalweg.study.statistics.summarise`.
        experiments: (domain, experiment) -> label.
        labels: model -> label.

    Returns:
        str: one row per experiment and model: sites, median RMSE with 95 % interval over sites, median bias and NSE.
    """
    lines = [
        "| experiment | model | sites | median RMSE (95 % interval) | unit | median bias | median NSE |",
        "|---|---|---|---|---|---|---|",
    ]
    for (domain, experiment, model), rows in summary.groupby(["domain", "experiment", "model"], sort=False):
        rmse, bias, nse = (rows[rows.metric == metric].iloc[0] for metric in ("RMSE", "bias", "NSE"))
        what = experiments.get((domain, experiment), experiment)
        lines.append(
            f"| {what} | {labels.get(model, model)} | {rmse.gauges} | {_interval(rmse)} | {rmse.unit} "
            f"| {bias['median']:.2f} | {nse['median']:.2f} |"
        )
    return "\n".join(lines)


def with_results(text, table, note, markers=(START, END)):
    """``text`` with what stands between the two markers replaced.

    Raises:
        ValueError: when the markers are not there.
    """
    start, end = markers
    if start not in text or end not in text:
        raise ValueError(f"the README lacks the markers {start!r} and {end!r}")
    before, rest = text.split(start)
    return f"{before}{start}\n{table}\n\n{note}\n{end}{rest.split(end)[1]}"


def record(results, docs, readme, labels, sites=None):
    """Copy the tables and figures of a study to ``docs`` and, of the default study, its result tables into the README.

    Args:
        results: folder of the study.
        docs: folder for the copies; what stands there is replaced.
        readme: path of the README; None leaves it as it is.
        labels: model -> label.
        sites: arguments ``experiments`` and ``labels`` of :func:`site_table`, of a study that has sites.
    """
    results, docs = Path(results), Path(docs)
    present = [name for name in TABLES if (results / "tables" / name).exists()]
    present += [
        path.relative_to(results / "tables")
        for folder, pattern in FOLDERS  # not every reach of the recovery, nor every day of the canopy
        for path in sorted((results / "tables" / folder).rglob(pattern))
        if not path.as_posix().endswith(LEFT_OUT)
    ]
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir(parents=True)
    for name in present:
        for path in (results / "tables" / name, sidecar(results / "tables" / name)):
            target = docs / path.relative_to(results / "tables")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for path in sorted((results / "figures").rglob("*.png")):
        target = docs / "figures" / path.relative_to(results / "figures")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    if readme is None:
        return
    readme = Path(readme)
    text = readme.read_text()
    summary = pd.read_csv(results / "tables" / "summary.csv")
    text = with_results(text, result_table(summary, labels), _note(results / "tables" / "summary.csv", docs))
    at_sites = results / "tables" / "sites" / "summary.csv"
    if sites and at_sites.exists():
        table = site_table(pd.read_csv(at_sites), **sites)
        text = with_results(text, table, _note(at_sites, docs / "sites"), (SITES_START, SITES_END))
    with atomic(readme) as temporary:
        temporary.write_text(text)


def _note(table, docs):
    made = read_provenance(table)
    return f"Made on {made['created'][:10]} by `make study` at commit `{made['commit'][:10]}`; the tables are in [docs]({docs.as_posix()})."
