"""Claims and verdicts: every claim becomes an effect, an interval, a test and a verdict.

All claims are judged by one rule. The *gain* of a claim is its effect minus its threshold, counted towards the claimed side:

- *not supported*: the interval of the gain ends below the margin: the claim is excluded, or the effect is too small to matter;
- *supported*: otherwise, the gain is at least the margin, its interval lies above 0 and, if there is a test, its p after
  Holm's correction is below 0.05;
- *undecided*: neither, or too few places or blocks of places for a verdict;
- *not tested*: the study lacks the data of the claim.

The threshold is 0 for a model claimed to be better or more robust, and minus the margin for one claimed to be as good
(non-inferiority: Piaggio et al. 2012, doi:10.1001/jama.2012.87802), which is not supported if the interval ends below
that. Each place counts once, with its mean over seeds and folds: intervals quantify the effect of the choice of places, not
that of initial weights. Intervals come from a spatial block bootstrap; p is that of Wilcoxon's signed-rank test, which treats
neighbours as independent, so it never supports a claim alone.
"""

import math

import numpy as np
import pandas as pd

from thalweg.evaluation.blocks import MIN_BLOCKS, SAMPLES, block_bootstrap
from thalweg.evaluation.evidence import EVIDENCE_COLUMNS, EVIDENCE_KEYS
from thalweg.evaluation.statistics import SERIES, as_score, check_skill, holm, labels_of, signed_rank_p, unit_of
from thalweg.metrics.scores import METRICS
from thalweg.settings.claims import FAMILIES
from thalweg.units import unit_text

SIGNIFICANT = 0.05
MIN_PLACES = 10  # their minimum signed-rank p, 2 / 2^10, stays below 0.05 after correction for 25 claims
SYMBOLS = {"supported": "✔", "not supported": "✘", "undecided": "?", "not tested": "–"}
COLUMNS = (
    *("claim", "family", "text", "kind", "experiment", "variable", "metric_or_quantity", "model", "reference"),
    *("effect", "unit", "low", "high", "claimed", "threshold", "margin"),
    *("test", "n", "seeds", "p", "p_holm", "verdict", "reason", "would_change"),
)


class _Untested(Exception):
    """The data of a claim are missing; the message names them."""


def read_claims(path):
    """The table of :func:`judge`, read from its CSV."""
    text = dict.fromkeys(("variable", "metric_or_quantity", "reference", "unit", "reason"), str)
    return pd.read_csv(path, dtype=text).fillna(dict.fromkeys(text, ""))


def judge(skill, evidence, blocks, claims, samples=SAMPLES, seed=0):
    """A verdict on every claim.

    Args:
        skill: skill table of all models, in all experiments of the study.
        evidence: tables of evidence, with the columns ``EVIDENCE_COLUMNS``.
        blocks: domain -> Series of the label of each place's block, by place id.
        claims: name -> claim of :mod:`thalweg.settings.claims`.
        samples: bootstrap resamples of blocks.
        seed: of the resampling.

    Returns:
        DataFrame with a row per claim, by family, and the columns ``COLUMNS``. Where models are compared, ``variable`` is what
        they predict: that of the claim, or the first of its experiment. ``effect`` is in ``unit`` (a difference in RMSE or bias in
        that of the variable), with the 95 % interval ``low`` to ``high``; where models are compared, positive means that
        ``model`` is better than ``reference``.
        ``claimed`` is the side of ``threshold``: above, below, or within it on both sides of 0. ``p`` is two-sided, of the
        threshold where models are compared and as in the evidence otherwise (omitted for within, where a p against
        0 is meaningless); ``p_holm`` is corrected for all claims that have one. ``n`` counts places, or the sample of the
        evidence.

    Raises:
        ValueError: if a tested place has no block, evidence is duplicated, or from
            :func:`~thalweg.evaluation.statistics.check_skill`.
    """
    check_skill(skill)
    evidence = [table for table in evidence if len(table)]
    known = pd.concat(evidence, ignore_index=True) if evidence else pd.DataFrame(columns=EVIDENCE_COLUMNS)
    runs = skill.groupby(list(_KEY), sort=False)
    rows = []
    for name, claim in sorted(claims.items(), key=lambda item: FAMILIES.index(item[1].family)):
        row = {
            "claim": name,
            **claim.model_dump(include={"family", "text", "kind", "model", "reference", "margin", "would_change"}),
            **_stated(claim),
            **dict.fromkeys(("effect", "low", "high", "p", "n", "seeds"), np.nan),
            **dict.fromkeys(("variable", "unit", "test", "verdict", "reason"), ""),
        }
        try:
            if claim.kind == "evidence":
                row |= _found(claim, known)
            else:
                row |= _compared(claim, row["threshold"], runs, blocks, samples, seed)
        except _Untested as lacking:
            row |= {"verdict": "not tested", "reason": str(lacking)}
        rows.append(row)
    for row, p_holm in zip(rows, holm([row["p"] for row in rows])):
        row["p_holm"] = p_holm
        if not row["verdict"]:
            row["verdict"], row["reason"] = _verdict(row)
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64", "seeds": "Int64"})


_KEY = ("domain", "experiment", "variable", "model", "metric")


def _stated(claim):
    """Domain, experiment and variable of the claim, and its threshold with its side."""
    stated = {"experiment": claim.experiment, "claimed": "above", "threshold": 0.0}
    if claim.kind == "evidence":
        ((claimed, threshold),) = claim.thresholds().items()
        return stated | {"metric_or_quantity": claim.quantity, "claimed": claimed, "threshold": threshold}
    if claim.kind == "as_good":
        stated["threshold"] = -claim.margin
    elif claim.kind == "more_robust":
        stated["experiment"] = f"{claim.baseline} to {claim.experiment.split('/')[1]}"
    return stated | {"metric_or_quantity": claim.metric}


def _found(claim, evidence):
    domain, experiment = claim.experiment.split("/")
    keys = (domain, experiment, claim.model, claim.reference, claim.quantity)
    rows = evidence[(evidence[list(EVIDENCE_KEYS)] == keys).all(axis=1)]
    what = f"{claim.quantity} of {claim.model}" + (f" against {claim.reference}" if claim.reference else "")
    if rows.empty:
        raise _Untested(f"there is no {what} in {claim.experiment}")
    if len(rows) > 1:
        raise ValueError(f"evidence: {len(rows)} values of {what} in {claim.experiment}; include each once")
    row = rows.iloc[0]
    if np.isnan(row.effect):
        raise _Untested(f"{what} is not defined in {claim.experiment}")
    found = row[["effect", "low", "high", "p", "n", "unit", "test"]].to_dict()
    if claim.within or (row["quantity"].endswith("rank_correlation") and (claim.above or claim.below)):
        found["p"] = np.nan  # its null is not the threshold
    return found


def _compared(claim, threshold, runs, blocks, samples, seed):
    improvement, about = _improvement(runs, claim.experiment, claim)
    if claim.kind == "more_robust":
        before, _ = _improvement(runs, claim.baseline, claim)
        improvement = (improvement - before).dropna()
    if improvement.empty:
        raise _Untested(f"no place has {claim.metric} of both {claim.model} and {claim.reference}")
    label = labels_of(improvement.index, claim.experiment.split("/")[0], blocks)
    low, high = block_bootstrap(improvement, label, samples=samples, seed=seed)
    against = "" if threshold == 0 else f" against {threshold:g}"
    return about | {
        "effect": improvement.median(),
        "low": low,
        "high": high,
        "p": signed_rank_p(improvement - threshold)[0],
        "n": len(improvement),
        "test": f"median paired difference, bootstrap of {len(set(label))} blocks; Wilcoxon signed-rank test{against}",
        "reason": _too_few(len(improvement), len(set(label))),
    }


def _improvement(runs, place, claim):
    """Improvement of the claim's model over its reference at each place (Series).

    Also the columns variable, unit and seeds of the model.
    """
    (score, about), (reference, _) = (_scores(runs, place, model, claim) for model in (claim.model, claim.reference))
    return (score - reference).dropna(), about


def _scores(runs, place, model, claim):
    """Score of a model at each place (Series), and its columns variable, unit and seeds."""
    domain, experiment = place.split("/")
    here = runs.obj[(runs.obj.domain == domain) & (runs.obj.experiment == experiment)]
    variable = claim.variable or next(iter(here.variable), "")
    key = (domain, experiment, variable, model, claim.metric)
    names = (
        f"domain {domain}",
        f"experiment {place}",
        f"{variable} in {place}",
        f"model {model} in {place}",
        f"{claim.metric} of {model} in {place}",
    )
    for depth, name in enumerate(names, start=1):
        if not any(other[:depth] == key[:depth] for other in runs.indices):
            raise _Untested(f"the study has no {name}")
    rows = runs.get_group(key)
    unit = unit_of(claim.metric, rows.unit.iloc[0] if "unit" in rows else SERIES)
    score = as_score(rows.groupby("place").value.mean(), METRICS[claim.metric])
    return score, {"variable": variable, "unit": unit, "seeds": rows.seed.nunique()}


def _too_few(places, blocks):
    if places >= MIN_PLACES and blocks >= MIN_BLOCKS:
        return ""
    return f"places: {places}, blocks: {blocks}; a verdict needs {MIN_PLACES} and {MIN_BLOCKS}"


def gain(row):
    """Effect, low and high as distances from the threshold, counted towards the claimed side: positive on the claimed side.

    Args:
        row: mapping with effect, low, high, threshold and claimed.

    Returns:
        (float, float, float): of the effect, and the ends of its interval in ascending order.
    """
    effect, low, high, threshold = (row[name] for name in ("effect", "low", "high", "threshold"))
    if row["claimed"] == "above":
        return effect - threshold, low - threshold, high - threshold
    if row["claimed"] == "below":
        return threshold - effect, threshold - high, threshold - low
    nearest = 0.0 if low < 0 < high else min(abs(low), abs(high))
    return threshold - abs(effect), threshold - max(abs(low), abs(high)), threshold - nearest


OTHER_SIDE = {"above": "below", "below": "above", "within": "beyond"}


def _verdict(row):
    """The verdict on a claim and its reason, by the rule of the module."""
    if row["reason"]:
        return "undecided", row["reason"]
    effect, low, high = gain(row)
    claimed, threshold = row["claimed"], f"{'±' if row['claimed'] == 'within' else ''}{row['threshold']:g}"
    if np.isnan(low) or np.isnan(high):
        return "undecided", "there is no interval"
    if high < 0:
        return "not supported", f"the interval lies {OTHER_SIDE[claimed]} {threshold}"
    if row["kind"] != "as_good" and high < row["margin"]:
        return "not supported", f"the interval excludes a difference of {row['margin']:g}, the least that matters"
    if low <= 0:
        return "undecided", f"the interval holds {threshold}"
    lies = f"the interval lies {claimed} {threshold}"
    if row["kind"] != "as_good" and claimed != "within" and effect < row["margin"]:
        return "undecided", f"{lies}, but the difference is smaller than {row['margin']:g}, the least that matters"
    if row["kind"] == "evidence" and np.isnan(row["p"]):
        return "supported", lies
    if not row["p_holm"] < SIGNIFICANT:
        return "undecided", f"{lies}, but p is {p_text(row['p_holm'])}"
    return "supported", f"{lies}, p is {p_text(row['p_holm'])}"


def p_text(p):
    """A p-value as text."""
    if np.isnan(p):
        return "not defined"
    return "below 0.0001" if p < 1e-4 else f"{p:.2g}"


def effect_text(row):
    """Effect, interval and unit of a row of :func:`judge` as text, to a tenth of the margin or finer."""
    digits = max(1 - math.floor(math.log10(row["margin"])), 0)
    effect, *ends = (f"{round(row[name], digits) + 0.0:.{digits}f}" for name in ("effect", "low", "high"))
    interval = "" if np.isnan(row["low"]) else f" ({', '.join(ends)})"
    unit = {"dimensionless": "", "percent": " %"}.get(row["unit"], f" {unit_text(row['unit'])}")
    return f"{effect}{interval}{unit}".replace("-", "\N{MINUS SIGN}")


def page(table, title):
    """The verdicts as a Markdown page, by family, with failed and supported claims in the same table.

    Args:
        table: as returned by :func:`judge`.
        title: of the page.

    Returns:
        str
    """
    counts = table.verdict.value_counts()
    lines = [
        f"# {title}",
        "",
        f"{len(table)} claims: " + ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in SYMBOLS) + ".",
        "",
        "An effect is the median over places of the paired difference, positive when the model is better than its reference,"
        " or an effect from a table of evidence. Intervals (95 %) resample blocks of nearby places; p is corrected after Holm for all"
        " claims that have one (the others, –, rest on an interval that is not corrected). A claim is supported when its interval"
        " lies entirely on the claimed side, p is below 0.05 and the difference is large enough to matter, and not supported when"
        " the interval excludes it or any difference that matters.",
    ]
    for family, claims in table.groupby("family", sort=False):
        lines += [
            "",
            f"## {family.capitalize()}",
            "",
            "| verdict | claim | tested by | effect (95 % interval) | n | p | why | what would change it |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_line(row) for row in claims.to_dict("records")]
    return "\n".join(lines) + "\n"


def _line(row):
    of = f" of {row['variable'].replace('_', ' ')}" if row["variable"] else ""
    tested = f"{row['metric_or_quantity']}{of}, {row['experiment']}: {row['model']}"
    if row["reference"]:
        tested += f" and {row['reference']}"
    effect = n = p = "–"
    if row["verdict"] != "not tested":
        effect = effect_text(row)
        n = n if pd.isna(row["n"]) else row["n"]
        p = p if pd.isna(row["p_holm"]) else p_text(row["p_holm"])
    verdict = f"{SYMBOLS[row['verdict']]} {row['verdict']}"
    cells = (verdict, row["text"], tested, effect, n, p, row["reason"], row["would_change"])
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
