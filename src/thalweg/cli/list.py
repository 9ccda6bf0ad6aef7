"""thalweg list: what there is by name: datasets, models, weights, processes, losses, metrics, splits, figures, analyses."""

STEPS = {"hour": "hourly", "day": "daily", "month": "monthly"}
KINDS = ("datasets", "models", "weights", "processes", "losses", "metrics", "splits", "figures", "analyses")


def arguments(parser):
    parser.add_argument("kind", choices=KINDS)


def run(args):
    rows = globals()[f"_{args.kind}"]() if f"_{args.kind}" in globals() else _named(args.kind)
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        print(f"{name:{width}}  {text}".rstrip())


def _named(kind):
    from thalweg.registry import load, names

    single = {"processes": "process", "losses": "loss", "splits": "split", "figures": "figure", "analyses": "analysis"}[
        kind
    ]
    return [(name, _first_line(load(single, name).__doc__)) for name in names(single)]


def _datasets():
    from thalweg.registry import load, names

    return [(name, _first_line(load("dataset", name).__doc__)) for name in names("dataset")]


def _metrics():
    from thalweg.metrics.scores import METRICS

    return [(name, f"[{one.unit}] {_first_line(one.function.__doc__)}") for name, one in METRICS.items()]


def _models():
    from thalweg.library.training import library

    return [
        (name, f"{one['label']}: {one.get('process', 'hbv') if one['kind'] == 'process' else 'without a process'}")
        for name, one in library().items()
    ]


def _weights():
    from thalweg.storage.installed import weights, weights_header, weights_names

    rows = []
    for name in weights_names():
        header = weights_header(weights(name))
        scores = header["scores"] or {}
        metric = next((one for one in scores if isinstance(scores[one], dict)), None)
        skill = f"; median {metric} {scores[metric]['median']:.2f} at {scores['tested_at']}" if metric else ""
        training = header["training"]
        variables = ", ".join(header["job"]["variables"])
        rows.append(
            (
                name,
                f"{variables} ({STEPS[header['setting']['step']]}), trained at {training['places']} places of {training['domain']}{skill}",
            )
        )
    return rows


def _first_line(text):
    return (text or "").strip().partition("\n")[0]
