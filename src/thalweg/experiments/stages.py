"""The stages of a study in about a dozen boxes: data, regridding, training, tests, verdicts, figures."""

from thalweg.experiments import plan

TESTS = {  # kind of split -> subject of its test
    "temporal": "later years",
    "differential": "other climate",
    "extremes": "unseen floods",
    "ungauged_basins": "ungauged basins",
    "ungauged_regions": "ungauged regions",
    "ungauged_places": "places held out",
    "inner_gauges": "gauges within the river",
    "scale": "other drainage areas",
}
MAX_NAMES = 6  # in a box; others are counted


def stages(study):
    """The stages of a study.

    Returns:
        dict: ``boxes``, each with name, title, lines, column and row; ``arrows``, pairs of names.
    """
    gridded = plan.gridded(study)
    gauged = sorted({name for name, _ in plan.experiments_where(study, plan.of_discharge)} - set(gridded))
    sampled = sorted({name for name, _ in plan.sampled(study)})
    estimated = plan.estimators(study)
    boxes = [  # name, column, row, title, lines
        ("gauges", 0, 0, "Download", gauged),
        ("grids", 0, 2, "Download grids", gridded),
        ("samples", 0, 3, "Download", sampled),
        ("exchange", 0, 4, "Download", estimated),
        ("regrid", 1, 2, "Regrid", ["grid to catchments"] if gridded else []),
        ("train_runoff", 2, 0, "Train: discharge", _models(study, plan.of_discharge)),
        ("twins", 2, 1, "Twin experiments", _twins(study)),
        ("train_samples", 2, 3, "Train: samples", _models(study, plan.of_samples)),
        ("train_estimates", 2, 4, "Train: leaf, canopy", ["networks, fits"] if estimated else []),
        ("test_runoff", 3, 0, "Test", _tests(study, plan.of_discharge)),
        ("test_samples", 3, 3, "Test", _tests(study, plan.of_samples)),
        ("test_estimates", 3, 4, "Test", ["held-out curves, years"] if estimated else []),
        ("scores", 4, 0, "Scores", ["medians, paired tests"]),
        ("analyses", 4, 1, "Analyses", _analyses(study)),
        ("claims", 5, 0, "Claims", [f"{len(plan.claims(study))} verdicts"] if plan.claims(study) else []),
        ("figures", 5, 1, "Figures", ["and report"]),
    ]
    arrows = [
        *(
            ("gauges", "train_runoff"),
            ("grids", "regrid"),
            ("samples", "train_samples"),
            ("exchange", "train_estimates"),
        ),
        *(("regrid", "train_runoff"), ("gauges", "twins"), ("train_runoff", "test_runoff"), ("twins", "analyses")),
        *(("train_samples", "test_samples"), ("train_estimates", "test_estimates"), ("test_runoff", "scores")),
        *(
            ("test_samples", "scores"),
            ("test_estimates", "scores"),
            ("test_runoff", "analyses"),
            ("test_samples", "analyses"),
            ("scores", "claims"),
        ),
        *(("analyses", "claims"), ("scores", "figures"), ("analyses", "figures")),
    ]
    parts = ("name", "column", "row", "title", "lines")
    there = [dict(zip(parts, box)) | {"lines": _few(box[-1])} for box in boxes if box[-1]]
    names = {box["name"] for box in there}
    return {"boxes": there, "arrows": [[start, end] for start, end in arrows if {start, end} <= names]}


def _few(names):
    return names if len(names) <= MAX_NAMES else [*names[: MAX_NAMES - 1], f"and {len(names) - MAX_NAMES + 1} more"]


def _models(study, condition):
    names = dict.fromkeys(model for *_, model in plan.runs(study, condition))
    kinds = {"process": [], "sequence": [], "climatology": [], "ensemble": []}
    for name in names:
        kinds[study.models[name].kind].append(name)
    words = {"process": "process model", "sequence": "LSTM", "climatology": "climatology", "ensemble": "ensemble"}
    return [f"{len(found)} {words[kind]}{'s' if len(found) > 1 else ''}" for kind, found in kinds.items() if found]


def _tests(study, condition):
    kinds = [study.experiments[domain][name].kind for domain, name in plan.experiments_where(study, condition)]
    return list(dict.fromkeys(TESTS.get(kind, kind.rpartition(":")[2].replace("_", " ")) for kind in kinds))


def _twins(study):
    found = {"priors": study.twin_priors, "river": plan.twin_rivers(study), "synthetic leaves": study.leaf}
    return [name for name, one in found.items() if one]


def _analyses(study):
    found = {
        "elasticity of runoff": plan.with_some(study, plan.later_periods(study), plan.drawn_trained),
        "internal fluxes": plan.with_some(study, plan.later_periods(study), plan.processes_of),
        "parameters": plan.attributed(study),
        "trends, flood peaks": plan.long_tests(study) or plan.unseen_floods(study),
    }
    return [name for name, places in found.items() if places]
