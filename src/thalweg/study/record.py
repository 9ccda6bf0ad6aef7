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
START, END = "<!-- results: written by 'thalweg record' -->", "<!-- end of results -->"


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


def with_results(text, table, note):
    """``text`` with what stands between the two markers replaced.

    Raises:
        ValueError: when the markers are not there.
    """
    if START not in text or END not in text:
        raise ValueError(f"the README lacks the markers {START!r} and {END!r}")
    before, rest = text.split(START)
    return f"{before}{START}\n{table}\n\n{note}\n{END}{rest.split(END)[1]}"


def record(results, docs, readme, labels):
    """Copy the tables and figures of a study to ``docs`` and its result table into the README.

    Args:
        results: folder of the study.
        docs: folder for the copies; what stands there is replaced.
        readme: path of the README.
        labels: model -> label.
    """
    results, docs, readme = Path(results), Path(docs), Path(readme)
    present = [name for name in TABLES if (results / "tables" / name).exists()]
    present += [
        path.relative_to(results / "tables")
        for folder, pattern in (("river", "*.csv"), ("recovery", "*[!s].csv"))  # not every reach of the recovery
        for path in sorted((results / "tables" / folder).rglob(pattern))
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
    made = read_provenance(results / "tables" / "summary.csv")
    note = f"Made on {made['created'][:10]} by `make study` at commit `{made['commit'][:10]}`; the tables are in [docs]({docs.as_posix()})."
    summary = pd.read_csv(results / "tables" / "summary.csv")
    with atomic(readme) as temporary:
        temporary.write_text(with_results(readme.read_text(), result_table(summary, labels), note))
