"""thalweg export: a trained model of a study as one file, with its scores and calibrated intervals."""

from pathlib import Path


def arguments(parser):
    parser.add_argument("model", metavar="run", help="trained model of the study: domain/experiment/model")
    parser.add_argument("--results", type=Path, default=Path("results/default"), help="default: %(default)s")
    parser.add_argument(
        "--output", type=Path, required=True, help="the model file, *.safetensors; its card, *.md, is written beside it"
    )


def run(args):
    from thalweg.library.export import export
    from thalweg.storage.store import atomic

    model = export(args.results, args.model)
    model.save(args.output)
    with atomic(args.output.with_suffix(".md")) as temporary:
        temporary.write_text(model.card())
    print(f"{args.output}: {model!r}")
    print(model.scores.to_string(float_format=lambda value: f"{value:.3f}"))
