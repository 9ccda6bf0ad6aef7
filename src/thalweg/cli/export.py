"""thalweg export: a trained model of a study as one file, with its scores and calibrated intervals."""

from pathlib import Path


def arguments(parser):
    parser.add_argument("run", help="trained model of the study: domain/experiment/model")
    parser.add_argument("--results", type=Path, default=Path("results/default"), help="default: %(default)s")
    parser.add_argument("--output", type=Path, required=True, help="the model file, *.safetensors")


def run(args):
    from thalweg.library.export import export

    model = export(args.results, args.run)
    model.save(args.output)
    print(f"{args.output}: {model!r}")
    print(model.scores.to_string(float_format=lambda value: f"{value:.3f}"))
