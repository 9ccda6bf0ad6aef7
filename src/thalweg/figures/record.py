"""A dated record of a study's results: what the README shows comes from here."""

import shutil
from pathlib import Path

import pandas as pd

from thalweg.evaluation.claims import SYMBOLS, effect_text, read_claims
from thalweg.storage.store import atomic, read_provenance, sidecar

TABLES = (
    "claims.csv",
    "claims.md",
    "summary.csv",
    "comparison.csv",
    "published.csv",
    "published_evidence.csv",
    "cost.csv",
)
FOLDERS = (
    ("river", "*.csv"),
    ("recovery", "*[!s].csv"),
    ("canopy", "[ep]*.csv"),
    ("leaf", "*.csv"),
    ("places", "*.csv"),
    ("loads", "*.csv"),
    ("training_data", "*.csv"),
    ("distance", "*.csv"),
    ("physics", "*.csv"),
    ("which_prior", "*.csv"),
    ("trends", "*_evidence.csv"),
    ("peaks", "*.csv"),
    ("signatures", "*.csv"),
)
LEFT_OUT = (  # long tables, whose summaries are kept, and those that repeat a dataset's own columns
    *("points.csv", "leaves.csv"),
    *("elasticity.csv", "untrained.csv", "which_prior/delaware/scores.csv", "which_prior/camels-us/scores.csv"),
    *(f"leaf_lce/{name}.csv" for name in ("curves", "fits", "parameters")),
)
START, END = "<!-- results: written by 'thalweg record' -->", "<!-- end of results -->"
CLAIMS_END = "<!-- end of claims -->"
PLACES_START, PLACES_END = "<!-- sampled places: written by 'thalweg record' -->", "<!-- end of sampled places -->"


def result_table(summary, labels):
    """Medians of NSE and KGE of discharge by experiment and model, as a Markdown table.

    Args:
        summary: DataFrame of :func:`thalweg.evaluation.statistics.summarise`.
        labels: model -> label.

    Returns:
        str: one row per domain, experiment and model: gauges, median over gauges with its 95 % interval, range over seeds.
    """
    lines = [
        "| domain, experiment | model | gauges | median NSE (95 % interval) | NSE over seeds | median KGE (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    summary = summary[summary.variable == "discharge"]
    for (domain, experiment), group in summary.groupby(["domain", "experiment"], sort=False):
        for model, rows in group.groupby("model", sort=False):
            nse, kge = (rows[rows.metric == metric].iloc[0] for metric in ("NSE", "KGE"))
            seeds = f"{nse.seed_low:.2f} to {nse.seed_high:.2f}" if nse.seeds > 1 else "-"
            lines.append(
                f"| {domain}, {experiment} | {labels.get(model, model)} | {nse.places} | {_interval(nse)} | {seeds} | {_interval(kge)} |"
            )
    return "\n".join(lines)


def _interval(row):
    return f"{row['median']:.3f} ({row.low:.2f}, {row.high:.2f})"


def place_table(summary, experiments, labels):
    """Medians of RMSE, bias and NSE of sampled variables by experiment and model, as a Markdown table.

    Args:
        summary: DataFrame of :func:`thalweg.evaluation.statistics.summarise`.
        experiments: (domain, experiment) -> label, of those that are shown.
        labels: model -> label.

    Returns:
        str: one row per experiment, variable and model: places, median RMSE with 95 % interval over places, median bias and NSE.
    """
    lines = [
        "| experiment | model | places | median RMSE (95 % interval) | unit | median bias | median NSE |",
        "|---|---|---|---|---|---|---|",
    ]
    sampled = summary[summary.variable != "discharge"]
    for (domain, experiment, _, model), rows in sampled.groupby(
        ["domain", "experiment", "variable", "model"], sort=False
    ):
        if (domain, experiment) not in experiments:
            continue
        rmse, bias, nse = (rows[rows.metric == metric].iloc[0] for metric in ("RMSE", "bias", "NSE"))
        what = experiments[domain, experiment] or f"{domain}, {experiment}"
        lines.append(
            f"| {what} | {labels.get(model, model)} | {rmse.places} | {_interval(rmse)} | {rmse.unit} "
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


def claims_start(study):
    """Where the README's verdicts begin, of the study that it opens with."""
    return f"<!-- claims of {study}: written by 'thalweg record' -->"


def claims_text(claims, docs):
    """Counts of verdicts, and every claim with verdict and effect, as Markdown.

    Args:
        claims: DataFrame of :func:`thalweg.evaluation.claims.judge`.
        docs: folder of the record, where the claims' page and figure are.
    """
    counts = claims.verdict.value_counts()
    told = ", ".join(f"**{counts.get(verdict, 0)} {verdict}**" for verdict in SYMBOLS)
    lines = [
        f"![Claims and verdicts]({docs.as_posix()}/figures/claims.png)",
        "",
        f"{len(claims)} claims: {told}. [The page of claims]({docs.as_posix()}/claims.md) says by which test, and what would change each verdict.",
        "",
        "| | claim | effect (95 % interval) |",
        "|---|---|---|",
    ]
    for row in claims.to_dict("records"):
        effect = "not tested" if row["verdict"] == "not tested" else effect_text(row)
        lines.append(f"| {SYMBOLS[row['verdict']]} {row['verdict']} | {row['text']} | {effect} |")
    return "\n".join(lines)


def record(results, docs, readme, labels, experiments=None, study="default"):
    """Copy the tables of a study and the figures that the README shows or links to ``docs``, and what it shows of tables into it.

    Args:
        results: folder of the study.
        docs: folder for the copies; what stands there is replaced.
        readme: path of the README. Result tables of the default study go into it, and the verdicts on claims of the study
            that its markers name.
        labels: model -> label.
        experiments: (domain, experiment) -> label, as in :func:`place_table`; None where the README shows no such table.
        study: its name.
    """
    results, docs, readme = Path(results), Path(docs), Path(readme)
    tables = results / "tables"
    present = [Path(name) for name in TABLES if (tables / name).exists()]
    present += [
        path.relative_to(tables)
        for folder, pattern in FOLDERS  # not every reach of the recovery, nor every day of the canopy
        for path in sorted((tables / folder).rglob(pattern))
        if not path.as_posix().endswith(LEFT_OUT)
    ]
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir(parents=True)
    for name in present:
        for path in (tables / name, sidecar(tables / name)):
            if path.exists():
                target = docs / path.relative_to(tables)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    before = text = readme.read_text()
    if study == "default":
        path = tables / "summary.csv"
        summary, note = pd.read_csv(path), _note(path, docs, study)
        text = with_results(text, result_table(summary, labels), note)
        if experiments and PLACES_START in text:
            table = place_table(summary, experiments, labels)
            text = with_results(text, table, note, (PLACES_START, PLACES_END))
    if claims_start(study) in text:
        claims = tables / "claims.csv"
        shown = claims_text(read_claims(claims), docs)
        text = with_results(text, shown, _note(claims, docs, study), (claims_start(study), CLAIMS_END))
    for path in sorted((results / "figures").rglob("*.png")):
        target = docs / "figures" / path.relative_to(results / "figures")
        if f"{docs.name}/{target.relative_to(docs).as_posix()}" in text:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    if text != before:
        with atomic(readme) as temporary:
            temporary.write_text(text)


def _note(table, docs, study):
    made = read_provenance(table)
    command = "make study" if study == "default" else f"make study STUDY={study}"
    return f"Made on {made['created'][:10]} by `{command}` at commit `{made['commit'][:10]}`; the tables are in [docs]({docs.as_posix()})."
