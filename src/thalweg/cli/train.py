"""thalweg train: train a model on your catchments or sites, and write it as one file."""

from pathlib import Path

from thalweg.cli.inputs import add_data, read_data, settings_of


def arguments(parser):
    parser.add_argument(
        "model",
        help="name (thalweg list models), a process (thalweg list processes), or a trained model to train further",
    )
    add_data(parser)
    parser.add_argument("--split", default="temporal", help="kind of split (thalweg list splits); default: %(default)s")
    parser.add_argument(
        "--train", nargs=2, required=True, metavar=("FIRST", "LAST"), help="days or years of the training"
    )
    parser.add_argument(
        "--test",
        nargs=2,
        metavar=("FIRST", "LAST"),
        help="days or years of the test; by default those of the training, for splits that hold out places",
    )
    parser.add_argument("--variable", help="observed variable; by default the first")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="one training for each; default: 0")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--set", nargs="+", metavar="KEY=VALUE", help="settings of model and training, such as steps=300"
    )
    parser.add_argument(
        "--set-split", nargs="+", metavar="KEY=VALUE", help="settings of the split, such as folds=5 or validation=none"
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="the model file, *.safetensors; an interrupted training resumes beside it",
    )


def run(args):
    import shutil

    import thalweg

    keys, of_split = settings_of(args.set), settings_of(args.set_split, "--set-split")
    domain = read_data(args)
    table = thalweg.split(
        domain,
        args.split,
        train=args.train,
        test=args.test,
        variable=args.variable,
        **of_split,
    )
    checkpoints = args.output.with_name(f".{args.output.name}.checkpoints")
    model = thalweg.train(
        args.model,
        domain,
        table,
        seeds=args.seeds,
        device=args.device,
        checkpoints=checkpoints,
        **keys,
    )
    model.save(args.output)
    shutil.rmtree(checkpoints, ignore_errors=True)
    print(f"{args.output}: {model!r}")
    print(model.scores.to_string(float_format=lambda value: f"{value:.3f}"))
