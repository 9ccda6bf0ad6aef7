"""The card of a trained model: what it is, what it was trained on, what it needs and how good it is."""

from thalweg.units import unit_text


def card(model):
    """A page of Markdown, from the header of a model's file alone.

    Args:
        model: :class:`~thalweg.library.model.Model`.
    """
    header, job = model.header, model.job
    training, fitted = header["training"], (header["intervals"] or {}).get(model.variables[0])
    what = "a process with learned parameters" if job.model.kind == "process" else "an LSTM without a process"
    lines = [
        f"# {job.model.label or getattr(job.model, 'process', 'LSTM')}: {', '.join(name.replace('_', ' ') for name in model.variables)}",
        "",
        f"{what.capitalize()}, {'`' + job.model.process + '`, ' if job.model.kind == 'process' else ''}with a time step of one "
        f"{header['setting']['step']}. {len(model.members)} members ({_count(len(header['scaling']), 'fold')} of places, "
        f"{_count(len(header['seeds']), 'seed')}), trained at {training['places']} places of `{training['domain']}` from {training['period'][0]} to "
        f"{training['period'][1]} with {job.training.steps} steps at most and the loss `{job.training.loss}`.",
        "",
        *_scores(model),
        *_intervals(fitted),
        "## Inputs",
        "",
        "| input | kind | unit | range seen in training |",
        "|---|---|---|---|",
        *(
            f"| `{name}` | {row.kind} | {unit_text(row.unit)} | {row.low:.4g} to {row.high:.4g} |"
            for name, row in model.inputs.iterrows()
        ),
        "",
        "Inputs of the kind *computed* are climate indices, which are computed from the forcing. Outside the ranges, and in climates or "
        "land use that the training places do not have, nothing is known about its errors. Dams, diversions and glaciers are not in it.",
        "",
        "## Data and terms",
        "",
    ]
    for name, one in training["datasets"].items():
        lines.append(
            f"- `{name}` {one.get('version') or ''}: {one.get('licence') or 'terms unknown'}. {one.get('citation') or ''}".rstrip()
        )
    return "\n".join(lines) + "\n"


def _scores(model):
    if model.scores.empty:
        return ["No scores were computed.", ""]
    rows = [
        f"| {metric} | {row['median']:.3f} | {row.lower_quartile:.3f} to {row.upper_quartile:.3f} | {row.places:.0f} |"
        for metric, row in model.scores.iterrows()
    ]
    return [
        f"## Skill at {model.header['scores']['tested_at']}",
        "",
        "| metric | median | quartiles | places |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def _intervals(fitted):
    if fitted is None:
        return []
    levels = ", ".join(f"{100 * level:g}" for level in fitted["levels"])
    return [
        f"Intervals of {levels} % are calibrated at {fitted['places']} held-out places in {fitted['blocks']} blocks of neighbours "
        "(conformal prediction): over places like these they cover what they state in the mean, not at each place.",
        "",
    ]


def _count(number, what):
    return f"{number} {what}{'' if number == 1 else 's'}"
