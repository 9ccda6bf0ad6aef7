"""The numbers in the pages: each is read from a table of a record when the site is made, and none is written by hand.

A page writes ``{{ median('default', 'delaware/temporal', 'hbv') }}``. A number whose direction the sentence states says so
(``expect``), so that a page cannot be made when a new record contradicts it.
"""

import json
from functools import cache
from pathlib import Path

import from_code
import jinja2
import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "docs" / "results"
SIGNIFICANT = 0.05


class StaleError(ValueError):
    """A page says what the tables do not hold."""


@cache
def read(path):
    """A table of a record; columns of records made before places had one name are renamed."""
    return pd.read_csv(path).rename(columns={"gauges": "places", "gauge": "place", "site": "place"})


@cache
def provenance(study):
    """Where a record comes from."""
    return json.loads((RECORDS / study / "provenance.json").read_text())


@cache
def found(study, name):
    """The table of a record that has this name or path.

    Raises:
        StaleError: when there is none, or more than one.
    """
    paths = sorted((RECORDS / study).rglob(name))
    if len(paths) != 1:
        raise StaleError(f"the record {study} has {len(paths)} tables {name}")
    return read(paths[0])


@cache
def all_evidence(study):
    paths = sorted((RECORDS / study).rglob("*evidence.csv"))
    return pd.concat([read(path) for path in paths], ignore_index=True)


def _one(table, what, **where):
    """The one row of a table with these values; of a reference "" means none."""
    for column, value in where.items():
        here = table[column]
        table = table[
            here.isna() if value == "" else np.isclose(here, value) if isinstance(value, float) else here == value
        ]
    if len(table) != 1:
        raise StaleError(f"{what} has {len(table)} rows with {where}")
    return table.iloc[0]


def text(value, digits=2):
    """A number with so many decimals, a proper minus sign and no negative zero."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")


def cell(study, table, column, digits=2, scale=1.0, absolute=False, **where):
    """A cell of a table: of the one row with the given values."""
    value = _one(found(study, table), f"{table} of {study}", **where)[column]
    if isinstance(value, str):
        return value
    return text((abs(value) if absolute else value) * scale, digits)


def count(study, table, **where):
    """Rows of a table with the given values."""
    rows = found(study, table)
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return str(len(rows))


def middle(study, table, column, digits=2, scale=1.0, how="median", **where):
    """The median (or minimum, maximum) of a column over the rows with the given values."""
    rows = found(study, table)
    for name, value in where.items():
        rows = rows[rows[name] == value]
    if rows.empty:
        raise StaleError(f"{table} of {study} has no rows with {where}")
    return text(getattr(rows[column], how)() * scale, digits)


def _summary(study, run, model, metric, variable):
    domain, experiment = run.split("/")
    where = {"domain": domain, "experiment": experiment, "model": model, "metric": metric}
    if variable:
        where["variable"] = variable
    return _one(found(study, "summary.csv"), f"summary of {study}", **where)


def median(study, run, model, metric="NSE", digits=3, variable=None):
    """Median of a metric over places."""
    return text(_summary(study, run, model, metric, variable)["median"], digits)


def interval(study, run, model, metric="NSE", digits=2, variable=None):
    """Its 95 % interval."""
    row = _summary(study, run, model, metric, variable)
    return f"({text(row.low, digits)}, {text(row.high, digits)})"


def seeds(study, run, model, metric="NSE", digits=3, variable=None):
    """The range of the medians of single seeds."""
    row = _summary(study, run, model, metric, variable)
    return f"{text(row.seed_low, digits)} to {text(row.seed_high, digits)}"


def places(study, run, model, metric="NSE", variable=None):
    """Over how many places."""
    return str(_summary(study, run, model, metric, variable).places)


def _pair(study, run, model, reference, metric, variable):
    domain, experiment = run.split("/")
    table = found(study, "comparison.csv")
    where = {"domain": domain, "experiment": experiment, "metric": metric}
    if variable:
        where["variable"] = variable
    known = {(row.model, row.reference) for row in table.itertuples()}
    swapped = (model, reference) not in known
    pair = {"model": reference, "reference": model} if swapped else {"model": model, "reference": reference}
    row = _one(table, f"comparison of {study}", **where, **pair)
    return (-1.0 if swapped else 1.0) * row.median_improvement, row.p_holm


def gain(study, run, model, reference, metric="NSE", digits=2, variable=None, expect=None):
    """By how much a model is better than another (median paired difference), without its sign.

    Args:
        expect: ``better``, ``worse`` or ``unsure``, as the sentence says; p after Holm's correction below 0.05 is sure.
    """
    value, p = _pair(study, run, model, reference, metric, variable)
    is_so = "unsure" if not p < SIGNIFICANT else "better" if value > 0 else "worse"
    if expect not in (None, is_so):
        raise StaleError(
            f"{study}, {run}: {model} is {is_so} ({value:.3f}, p {p:.2g}) against {reference}, not {expect}"
        )
    return text(abs(value), digits)


def _p_text(p):
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def p(study, run, model, reference, metric="NSE", variable=None):
    """Holm-corrected p of the same comparison."""
    return _p_text(_pair(study, run, model, reference, metric, variable)[1])


def evidence(study, run, model, quantity, reference="", digits=2, scale=1.0, column="effect", absolute=False):
    """A row of evidence."""
    domain, experiment = run.split("/")
    where = {"domain": domain, "experiment": experiment, "model": model, "reference": reference, "quantity": quantity}
    value = _one(all_evidence(study), f"evidence of {study}", **where)[column]
    return text((abs(value) if absolute else value) * scale, digits)


def claim(study, name, column="effect", digits=3, scale=1.0, expect=None, absolute=False):
    """A number of a claim; ``expect`` is the verdict that the sentence states."""
    row = _one(found(study, "claims.csv"), f"claims of {study}", claim=name)
    if expect not in (None, row.verdict):
        raise StaleError(f"{study}: the claim {name} is {row.verdict}, not {expect}")
    return text((abs(row[column]) if absolute else row[column]) * scale, digits)


def published(study, run, reference, metric="NSE", digits=3):
    """Median of published scores at the same places."""
    domain, experiment = run.split("/")
    table = found(study, "published.csv")
    where = {"domain": domain, "experiment": experiment, "reference": reference, "metric": metric}
    for column, value in where.items():
        table = table[table[column] == value]
    if table.reference_median.nunique() != 1:
        raise StaleError(f"published scores of {study} are not one number with {where}")
    return text(table.reference_median.iloc[0], digits)


def setting(study, *keys):
    """A setting of the study that was recorded."""
    value = provenance(study)["settings"]
    for key in keys:
        value = value[key]
    return value


def verdicts(study, verdict=None):
    """How many claims a study has, or how many with one verdict."""
    table = found(study, "claims.csv")
    return str(len(table) if verdict is None else (table.verdict == verdict).sum())


def goal(wanted, reached):
    """What was aimed at, whether it was reached, and the number; higher is better."""
    return f"{wanted} ({'reached' if float(reached) >= float(wanted) else 'missed'}: {reached})"


def made(study):
    """When and at which commit a record was made."""
    record = provenance(study)
    dates = sorted(one["created"][:10] for one in record["files"].values())
    commits = [record.get("commit")] if record.get("commit") else [one["commit"] for one in record["files"].values()]
    commits = ", ".join(f"`{commit[:10]}`" for commit in dict.fromkeys(commits))
    command = "make study" if study == "default" else f"make study STUDY={study}"
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return f"Made on {when} by `{command}` at commit {commits}; the tables are in `docs/results/{study}` ([provenance]({study}/provenance.json))."


def _labels(study):
    settings = provenance(study)["settings"]
    models = settings["models"] | (settings.get("sites") or {}).get("models", {})
    return {name: model["label"] for name, model in models.items()}


def results(study):
    """Medians of NSE and KGE of discharge by experiment and model, as a Markdown table."""
    summary, labels = found(study, "summary.csv"), _labels(study)
    if "variable" in summary:
        summary = summary[summary.variable == "discharge"]
    lines = [
        "| domain, experiment | model | gauges | median NSE (95 % interval) | NSE over seeds | median KGE (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for (domain, experiment), group in summary.groupby(["domain", "experiment"], sort=False):
        for model, rows in group.groupby("model", sort=False):
            nse, kge = (rows[rows.metric == metric].iloc[0] for metric in ("NSE", "KGE"))
            seeds = f"{text(nse.seed_low)} to {text(nse.seed_high)}" if nse.seeds > 1 else "-"
            lines.append(
                f"| {domain}, {experiment} | {labels.get(model, model)} | {nse.places} | {_with_interval(nse)} | {seeds} | {_with_interval(kge)} |"
            )
    return "\n".join(lines)


def _with_interval(row):
    return f"{text(row['median'], 3)} ({text(row.low)}, {text(row.high)})"


def sampled(study, domains):
    """Medians of RMSE, bias and NSE of sampled variables by experiment and model, as a Markdown table."""
    summary, labels = found(study, "summary.csv"), _labels(study)
    named = provenance(study)["settings"].get("experiments", {})
    if "variable" not in summary:
        summary = summary.assign(variable="")
    lines = [
        "| experiment | model | places | median RMSE (95 % interval) | unit | median bias | median NSE |",
        "|---|---|---|---|---|---|---|",
    ]
    summary = summary[summary.domain.isin(domains) & (summary.variable != "discharge")]
    for (domain, experiment, _, model), rows in summary.groupby(
        ["domain", "experiment", "variable", "model"], sort=False
    ):
        rmse, bias, nse = (rows[rows.metric == metric].iloc[0] for metric in ("RMSE", "bias", "NSE"))
        what = named.get(domain, {}).get(experiment, {}).get("label") or f"{domain}, {experiment}"
        lines.append(
            f"| {what} | {labels.get(model, model)} | {rmse.places} | {_with_interval(rmse)} | {rmse.unit} "
            f"| {text(bias['median'])} | {text(nse['median'])} |"
        )
    return "\n".join(lines)


def stages(study):
    """Jobs, wall time, processor time and peak memory of each kind of job, as a Markdown table."""
    lines = ["| kind of job | jobs | wall time [s] | processor time [s] | peak memory [MB] |", "|---|---|---|---|---|"]
    for row in found(study, "stages.csv").itertuples():
        numbers = (row.wall_seconds, row.cpu_seconds, row.peak_memory_MB)
        lines.append(f"| {row.stage} | {row.jobs} | {' | '.join(f'{number:.0f}' for number in numbers)} |")
    return "\n".join(lines)


def claims(study):
    """Every claim with verdict and effect, as a Markdown table below the counts."""
    from thalweg.evaluation.claims import SYMBOLS, effect_text, read_claims

    table = read_claims(RECORDS / study / "claims.csv")
    numbers = ", ".join(f"**{(table.verdict == verdict).sum()} {verdict}**" for verdict in SYMBOLS)
    lines = [
        f"{len(table)} claims: {numbers}. [The page of claims]({study}/claims.md) has the tests, and what would change each verdict.",
        "",
        "| verdict | claim | effect (95 % interval) |",
        "|---|---|---|",
    ]
    for row in table.to_dict("records"):
        effect = "not tested" if row["verdict"] == "not tested" else effect_text(row)
        lines.append(f"| {SYMBOLS[row['verdict']]} {row['verdict']} | {row['text']} | {effect} |")
    return "\n".join(lines)


def river(study, name, routed, delayed, unrouted):
    """Skill by drainage area of three models and the gains of the first, as a Markdown table."""
    table = found(study, name)
    table = table[(table.metric == "NSE") & (table.routed == routed)]
    lines = [
        "| drainage area | gauges | NSE routed | unit hydrograph | no routing | gain over unit hydrograph | gain over no routing |",
        "|---|---|---|---|---|---|---|",
    ]
    for area, rows in table.groupby("area_class", sort=False):
        row = rows.set_index("model")
        values = [text(row.loc[model, "median"], 3) for model in (routed, delayed, unrouted)]
        gains = [
            f"{text(row.loc[model, 'improvement'])} (p {row.loc[model, 'p_holm']:.1g})" for model in (delayed, unrouted)
        ]
        lines.append(f"| {area} | {row.loc[routed, 'places']} | {' | '.join([*values, *gains])} |")
    return "\n".join(lines)


def largest_closure(study, name):
    """The largest error of a water balance, as a share of the inflow."""
    return found(study, name).closure.abs().max()


def nitrate_uptake(study, name):
    """How much of the load gained along a network is taken up on the way, in percent."""
    table = found(study, name)
    return text(100 * table.uptake.sum() / table.gained.sum(), 0)


def render(markdown):
    """The text of a page with its numbers."""
    environment = jinja2.Environment(
        comment_start_string="{##",
        comment_end_string="##}",
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.globals.update({function.__name__: function for function in (*MACROS, *from_code.MACROS)})
    return environment.from_string(markdown).render()


MACROS = (
    stages,
    *(
        cell,
        count,
        middle,
        median,
        interval,
        seeds,
        places,
        gain,
        p,
        evidence,
        claim,
        verdicts,
        goal,
        made,
        published,
        setting,
    ),
    *(results, sampled, claims, river, largest_closure, nitrate_uptake),
)
