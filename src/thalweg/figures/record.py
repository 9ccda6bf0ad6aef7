"""A record of a study: its summarising tables, the pictures that its page shows, and where they come from.

A record is small enough for a repository. It keeps no PDF, no figure at full size and no table with a row for every
measurement; those stay in ``results``. The documentation is built from it.
"""

import json
import math
import re
import shutil
from pathlib import Path

import pandas as pd
import yaml
from PIL import Image

from thalweg.evaluation.claims import SYMBOLS, effect_text, read_claims
from thalweg.storage.store import atomic, read_provenance, write_json

LARGEST_SUMMARY, LARGEST_OF_PLACES = 200_000, 32_000  # bytes of a table; the second where it has a row for every place
PLACES = {"place", "reach"}
MEASUREMENTS = {"point", "curve", "leaf", "time", "day"}  # columns of tables that repeat a dataset
PICTURES, PICTURE_BYTES = 10, 1_500_000
DOTS_PER_INCH, COLOURS = 150, 128
PROVENANCE = "provenance.json"
CLAIMS = re.compile(r"<!-- claims of (?P<study>[\w-]+): (?P<names>[\w -]+); written by 'thalweg record' -->\n")
CLAIMS_END = "<!-- end of claims -->"


class RecordError(ValueError):
    """A record that cannot be made; the message says why, and what to correct."""


def is_kept(table):
    """Whether a table belongs into a record: a page of claims, or a CSV that summarises."""
    size = table.stat().st_size
    if table.suffix != ".csv":
        return table.suffix == ".md" and size <= LARGEST_SUMMARY
    columns = set(pd.read_csv(table, nrows=0).columns)
    largest = LARGEST_OF_PLACES if columns & PLACES else LARGEST_SUMMARY
    return size <= largest and not columns & MEASUREMENTS


def pictures_of(page):
    """The figures of a study that its page shows: paths below ``figures``, in the page's order.

    Args:
        page: path of the Markdown page, such as docs/results/default.md.

    Raises:
        RecordError: when there are more than a record keeps.
    """
    if not page.exists():
        return []
    shown = re.findall(rf"!\[[^\]]*\]\({re.escape(page.stem)}/figures/([^)\s]+\.png)\)", page.read_text())
    shown = list(dict.fromkeys(shown))
    if len(shown) > PICTURES:
        raise RecordError(f"{page} shows {len(shown)} pictures; a record keeps {PICTURES}: remove some from the page")
    return shown


def shrink(source, target):
    """Copy a PNG at 150 dpi and 128 colours."""
    with Image.open(source) as image:
        share = min(DOTS_PER_INCH / image.info.get("dpi", (DOTS_PER_INCH,))[0], 1.0)
        size = [max(round(length * share), 1) for length in image.size]
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small = small.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    target.parent.mkdir(parents=True, exist_ok=True)
    small.save(target, optimize=True, dpi=(DOTS_PER_INCH, DOTS_PER_INCH))


def merged(study, settings, records):
    """The provenance of many files in one: what they have in common once, the rest by file.

    Args:
        study: its name.
        settings: the study's configuration.
        records: file name -> record of :func:`thalweg.storage.store.provenance`.

    Returns:
        dict: JSON-ready.
    """
    datasets, common = {}, {}
    for record in records.values():
        datasets.update(record["datasets"])
    for key in ("commit", "python", "packages"):
        values = [record[key] for record in records.values()]
        if values and all(value == values[0] for value in values):
            common[key] = values[0]
    own = ("created", "commit", "python", "packages", "seed", "inputs")
    files = {
        name: {key: record[key] for key in own if key not in common and record[key] not in (None, [])}
        | {"datasets": sorted(record["datasets"])}
        for name, record in records.items()
    }
    return {"study": study, **common, "settings": settings, "datasets": datasets, "files": files}


def provenance_of_picture(path):
    """The record that a PNG of :func:`thalweg.figures.style.save` carries; None when it has none."""
    with Image.open(path) as image:
        text = image.info.get("provenance")
    return json.loads(text) if text else None


def claims_text(claims, docs, names):
    """Counts of verdicts, and the named claims with verdict, effect and limit, as Markdown.

    Args:
        claims: DataFrame of :func:`thalweg.evaluation.claims.judge`.
        docs: folder of the record.
        names: claims shown, in order.

    Raises:
        RecordError: when a claim is not there.
    """
    rows = {row["claim"]: row for row in claims.to_dict("records")}
    missing = [name for name in names if name not in rows]
    if missing:
        raise RecordError(f"the study has no claim {missing[0]!r}, which the README shows; it has {', '.join(rows)}")
    counts = claims.verdict.value_counts()
    verdicts = ", ".join(f"**{counts.get(verdict, 0)} {verdict}**" for verdict in SYMBOLS)
    lines = [
        f"Of {len(claims)} claims: {verdicts}. [The page of claims]({docs.as_posix()}/claims.md) has all of them, with their tests. "
        "An effect is the median over places of the paired difference in the score, positive when the claim's model is better, or a number of an analysis.",
        "",
        "| verdict | claim | effect (95 % interval) | places | what would change the verdict |",
        "|---|---|---|---|---|",
    ]
    for row in (rows[name] for name in names):
        effect = "not tested" if row["verdict"] == "not tested" else effect_text(row)
        places = "–" if math.isnan(row["n"]) else f"{row['n']:.0f}"
        lines.append(
            f"| {SYMBOLS[row['verdict']]} {row['verdict']} | {row['text']} | {effect} | {places} | {row['would_change']} |"
        )
    return "\n".join(lines)


def note(made, docs, study):
    """When, by which command and at which commit a record was made, as Markdown.

    Args:
        made: mapping with created and commit.
        docs: folder of the record, as the page links it.
        study: its name.
    """
    command = "make study" if study == "default" else f"make study STUDY={study}"
    return f"Made on {made['created'][:10]} by `{command}` at commit `{made['commit'][:10]}`; the tables are in [{docs}]({docs})."


def with_claims(text, study, shown):
    """``text`` of a README whose markers name ``study``, with what stands between them replaced; otherwise as it is.

    Args:
        text: of the README.
        study: the study that was recorded.
        shown: function of the names of the claims to the Markdown that shows them.
    """
    marker = CLAIMS.search(text)
    if marker is None or marker["study"] != study:
        return text
    before, rest = text[: marker.end()], text[marker.end() :]
    return f"{before}{shown(marker['names'].split())}\n{CLAIMS_END}{rest.split(CLAIMS_END)[1]}"


def record(results, docs, readme):
    """Replace the record of a study by one of its present results, and the claims that the README shows of it.

    Args:
        results: folder of the study.
        docs: folder of the record; what it holds is replaced. The page beside it, ``<docs>.md``, says which pictures are kept.
        readme: path of the README.

    Raises:
        RecordError: when the page shows pictures that the study did not draw, or too many or too large ones.
    """
    results, docs, readme = Path(results), Path(docs), Path(readme)
    settings = yaml.safe_load((results / "config.yaml").read_text())
    study, tables, figures = settings["study"], results / "tables", results / "figures"
    pictures = pictures_of(docs.with_suffix(".md"))
    missing = [name for name in pictures if not (figures / name).exists()]
    if missing:
        raise RecordError(f"{docs}.md shows {', '.join(missing)}, not drawn in {figures}; correct the page")
    kept = [path for path in sorted(tables.rglob("*.*")) if path.suffix in (".csv", ".md") and is_kept(path)]
    shutil.rmtree(docs, ignore_errors=True)
    records = {}
    for path in kept:
        name = path.relative_to(tables)
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, docs / name)
        records[name.as_posix()] = read_provenance(path)
    for name in pictures:
        shrink(figures / name, docs / "figures" / name)
        records[f"figures/{name}"] = provenance_of_picture(figures / name)
    size = sum((docs / "figures" / name).stat().st_size for name in pictures)
    if size > PICTURE_BYTES:
        raise RecordError(f"the pictures that {docs}.md shows have {size} bytes; a record keeps {PICTURE_BYTES}")
    records = {name: one for name, one in records.items() if one}
    write_json(merged(study, settings, records), docs / PROVENANCE)

    def shown(names):
        claims = tables / "claims.csv"
        return f"{claims_text(read_claims(claims), docs, names)}\n\n{note(read_provenance(claims), docs.as_posix(), study)}"

    before = readme.read_text()
    text = with_claims(before, study, shown)
    if text != before:
        with atomic(readme) as temporary:
            temporary.write_text(text)
