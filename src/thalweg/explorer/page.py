"""The page of a study: everything in one HTML file, which opens offline.

The plotting library is Bokeh (BSD-3-Clause; its script for browsers has 1.3 MB), embedded with the page's own scripts and style in
``web``. Maps and series are drawn by it; whatever they show can also be reached by keyboard and is told in text.
"""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from matplotlib import colormaps
from matplotlib.colors import to_hex

from thalweg.basin.domain import DataError, read_domain
from thalweg.evaluation.statistics import read_skill, unit_of
from thalweg.explorer.pack import pack_numbers
from thalweg.explorer.runs import YEAR, Kept, Room, in_turn
from thalweg.figures.boundaries import read_boundaries
from thalweg.figures.style import LAND, OBSERVED, OKABE_ITO, WATER, looks
from thalweg.metrics.scores import METRICS
from thalweg.storage.store import atomic, git_commit

SERIES_MEGABYTES = 6.0
LEFT_OUT = {
    "KGE_2012",
    "FLV_linear",
    "FMS",
    "beta_NSE",
    "RMSE_low",
    "RMSE_mid",
    "RMSE_high",
}  # variants of other metrics
WEB = files("thalweg.explorer") / "web"
SCRIPTS = ("unpack.js", "study.js", "format.js", "map.js", "series.js", "tables.js", "main.js")
LIBRARY = ("bokeh.min.js", "bokeh-api.min.js")
COLOURS = {"higher": "viridis", "lower": "viridis_r", "closer": "PuOr"}
SHADES = 64
MARGIN = (
    0.25  # of the longer side of the box around the places: the coast that a narrow or a wide screen shows beside them
)
RIVERS = 4000  # reaches drawn, those that drain most


def write_explorer(results, path=None, map_folder=None, megabytes=SERIES_MEGABYTES):
    """Write the explorer of a study.

    Args:
        results: folder of a study's results, such as ``results/default``, with config.yaml, domains, simulations and tables/skill.csv.
        path: of the page; ``explorer.html`` in ``results`` when None.
        map_folder: the unpacked ``map`` dataset; None draws no coast.
        megabytes: of series at most, as they stand in the file. Domains take turns, experiment by experiment and model by model; a
            run whose series do not fit has scores and parameters, and the page names it.

    Returns:
        Path of the page.

    Raises:
        DataError: if ``results`` holds no study, or one without experiments about series.
        FileNotFoundError: if a file of the study is missing, or ``map_folder`` holds no coast.
    """
    results = Path(results)
    path = Path(path or results / "explorer.html")
    if not (results / "config.yaml").exists():
        raise DataError(f"{results}: there is no config.yaml, so this is no folder of a study; run thalweg study first")
    content = content_of(results, map_folder, megabytes * 1e6)
    with atomic(path) as temporary:
        temporary.write_text(page(content), encoding="utf-8")
    return path


def content_of(results, map_folder, size):
    """What the page shows, with series of ``size`` bytes at most, as plain values."""
    settings = yaml.safe_load((results / "config.yaml").read_text())
    experiments = {name: found for name, found in settings["experiments"].items() if found}
    skill = read_skill(results / "tables" / "skill.csv") if experiments else pd.DataFrame()
    domains = {name: read_domain(results / "domains" / f"{name}.nc") for name in experiments}
    domains = {name: one for name, one in domains.items() if one.axis == "time"}
    if not domains:
        raise DataError(f"{results}: no experiment is about series; there is nothing to explore")
    kept = {name: Kept(domain) for name, domain in domains.items()}
    models = {name: {one: settings["models"] for one, settings in experiments[name].items()} for name in domains}
    runs = in_turn(models)
    room = Room(size, size / (len(runs) + len(domains)))
    for name, experiment, model in runs:
        kept[name].add(results / "simulations" / name / experiment / f"{model}.nc", experiment, model, room)
    labels = {name: model["label"] or name for name, model in settings["models"].items()}
    found = []
    for name, domain in domains.items():
        rows = kept[name].rows
        for experiment in experiments[name]:
            table = results / "tables" / "internal_fluxes" / name / f"{experiment}.csv"
            if table.exists():
                _add_evapotranspiration(rows, domain, table)
        _add_scores(rows, domain, skill[skill.domain == name])
        listed = [
            {
                "name": experiment,
                "label": one.get("label") or experiment,
                "models": one["models"],
                "variables": kept[name].variables[experiment],
            }
            for experiment, one in experiments[name].items()
        ]
        used = list(dict.fromkeys(model for one in listed for model in one["models"]))
        found.append(
            {
                "name": name,
                "step": domain.step,
                "start": str(pd.Timestamp(domain.forcing.time.values[0])),
                "places": _places(domain),
                "map": _map(domain, map_folder),
                "experiments": listed,
                "models": _models(used, labels),
                "rows": rows.descriptions,
                "values": pack_numbers(np.array(rows.values)) if rows.values else "",
                "series": kept[name].with_observed(room),
            }
        )
    return {
        "study": settings["study"],
        "commit": git_commit(),
        "metrics": {name: {"best": one.best, "direction": one.direction} for name, one in _metrics(skill).items()},
        "colours": {name: _shades(colours) for name, colours in COLOURS.items()},
        "worse": OKABE_ITO[1],
        "observed": OBSERVED,
        "land": LAND,
        "water": WATER,
        "without_series": [list(run) for run in dict.fromkeys(room.refused)],
        "domains": found,
    }


def page(content):
    """The HTML of the page."""
    library = files("bokeh") / "server" / "static" / "js"
    scripts = "".join((WEB / name).read_text(encoding="utf-8") for name in SCRIPTS)
    parts = {
        "@STYLE@": (WEB / "explorer.css").read_text(encoding="utf-8"),
        "@LIBRARY@": "\n".join(_embedded((library / name).read_text(encoding="utf-8")) for name in LIBRARY),
        "@CONTENT@": json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace(
            "<", "\\u003c"
        ),
        "@SCRIPT@": f'"use strict";\n(() => {{\n{scripts}}})();',
    }
    first, *rest = (WEB / "explorer.html").read_text(encoding="utf-8").split("@TITLE@")
    html = content["study"].join([first, *rest])
    for name, text in parts.items():
        before, after = html.split(name)
        html = before + text + after
    return html


def _embedded(script):
    """A script that can stand in a page: without the address of its map, and without a tag that would end it."""
    lines = [line for line in script.splitlines() if not line.startswith("//# sourceMappingURL")]
    return "\n".join(lines).replace("</script", "<\\/script")


def _metrics(skill):
    return {name: METRICS[name] for name in skill.metric.unique() if name not in LEFT_OUT}


def _shades(name):
    return [to_hex(colormaps[name](share)) for share in np.linspace(0, 1, SHADES)]


def _models(names, labels):
    """Label, colour and dashes of each model, those of the study's figures."""
    found = looks(names, labels)
    return {
        name: {
            "label": found[name].label,
            "colour": found[name].colour,
            "dashes": [] if found[name].dashes == "-" else [round(1.5 * length, 1) for length in found[name].dashes[1]],
        }
        for name in names
    }


def _places(domain):
    places = domain.places
    name = places.name.values.astype(str) if "name" in places else domain.place_ids
    unknown = np.full(len(name), np.nan)
    columns = {
        key: (places[variable].values if variable in places else unknown, digits)
        for key, variable, digits in (
            ("latitude", "latitude", 5),
            ("longitude", "longitude", 5),
            ("area", "drainage_area", 3),
        )
    }
    return {"id": domain.place_ids.tolist(), "name": [text.strip() for text in name]} | {
        column: [round(float(value), digits) if np.isfinite(value) else None for value in values]
        for column, (values, digits) in columns.items()
    }


def _map(domain, folder):
    """Box around the places (west, south, east, north), outlines of land and water, and the lines of the rivers; None without positions."""
    places = domain.places
    if "latitude" not in places or not np.isfinite(places.latitude).any():
        return None
    west, east = float(np.nanmin(places.longitude)), float(np.nanmax(places.longitude))
    south, north = float(np.nanmin(places.latitude)), float(np.nanmax(places.latitude))
    side = max(east - west, north - south, 0.05)
    margin = MARGIN * side
    wide = (west - 4 * margin, max(south - 2 * margin, -90), east + 4 * margin, min(north + 2 * margin, 90))
    coast = [] if folder is None else read_boundaries(folder, wide)
    digits = int(np.clip(4 - np.log10(side), 2, 5))
    return {
        "box": [west, south, east, north],
        "coast": [{"land": bool(land), "outline": np.round(line, digits).T.tolist()} for land, line in coast],
        "rivers": _rivers(domain, digits),
        "digits": digits,
    }


def _rivers(domain, digits):
    """Lines from reaches to those downstream, as lists of west-east and south-north positions and of widths."""
    if domain.network is None or "longitude" not in domain.network:
        return None
    network, river = domain.network, domain.river
    place = np.column_stack([network.longitude.values, network.latitude.values])
    joined = np.flatnonzero(river.downstream >= 0)
    if not len(joined):
        return None
    area = network.drainage_area.values
    joined = joined[np.argsort(-area[joined])][:RIVERS]
    lines = np.stack([place[joined], place[river.downstream[joined]]], axis=1).round(digits)
    width = 0.4 + 3 * np.sqrt(area[joined] / area.max())
    return {"x": lines[:, :, 0].tolist(), "y": lines[:, :, 1].tolist(), "width": width.round(2).tolist()}


def _add_scores(rows, domain, skill):
    """Scores at every place, means over folds and seeds."""
    skill = skill[~skill.metric.isin(LEFT_OUT)]
    keys = ["experiment", "variable", "model", "metric"]
    means = skill.groupby([*keys, "place"], sort=False).value.mean()
    units = skill.drop_duplicates(keys).set_index(keys).unit
    for key, values in means.groupby(keys, sort=False):
        experiment, variable, model, metric = key
        unit = unit_of(metric, units.loc[key])
        rows.add(
            values.droplevel(keys).reindex(domain.place_ids).to_numpy(),
            **{"kind": "score", "experiment": experiment, "variable": variable, "model": model},
            **{"name": metric, "label": metric.replace("_", " "), "unit": "" if unit == "dimensionless" else unit},
        )


def _add_evapotranspiration(rows, domain, table):
    """Simulated evapotranspiration of catchments over the days of observed discharge, from the analysis of internal fluxes."""
    found = pd.read_csv(table, dtype={"place": str})
    for (experiment, model), values in found.groupby(["experiment", "model"], sort=False):
        mean = values.groupby("place").evapotranspiration.mean().reindex(domain.place_ids).to_numpy()
        rows.add(
            YEAR * mean,
            **{"kind": "mean", "experiment": experiment, "variable": "discharge", "model": model},
            **{"name": "evapotranspiration", "label": "simulated evapotranspiration", "unit": "mm/year"},
        )
