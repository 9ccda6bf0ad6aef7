"""thalweg plot: a figure of a prediction, or the page on which the places of a study can be explored."""

from pathlib import Path

from thalweg.cli.inputs import add_data, read_data, write_figure
from thalweg.explorer.page import write_explorer
from thalweg.schema import ConfigError

KINDS = {
    "hydrographs": "predicted and observed series, a panel per place; needs --prediction",
    "explorer": "a page with a map of all places of a study, their series, parameters and scores; needs --results",
}


def arguments(parser):
    parser.add_argument("kind", choices=KINDS, help="; ".join(f"{name}: {text}" for name, text in KINDS.items()))
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prediction", type=Path, help="*.nc written by thalweg predict")
    source.add_argument("--results", type=Path, help="folder of a study, such as results/default")
    add_data(parser, required=False)
    parser.add_argument("--places", nargs="+", help="ids; by default the first six")
    parser.add_argument(
        "--output", type=Path, required=True, help="figure (*.png and *.pdf are written), or page (*.html)"
    )


def run(args):
    if (args.kind == "explorer") != (args.results is not None):
        raise ConfigError(f"{args.kind}: {KINDS[args.kind]}")
    if args.kind == "explorer":
        write_explorer(args.results, args.output)
        print(args.output)
    else:
        print(*_hydrographs(args), sep="\n")


def _hydrographs(args):
    import xarray as xr

    import thalweg

    period, args.period = args.period, None
    with xr.open_dataset(args.prediction, engine="h5netcdf") as file:
        figure = thalweg.plot.hydrographs(file.load(), read_data(args), args.places, period)
    return write_figure(figure, args.output, {"prediction": str(args.prediction)})
