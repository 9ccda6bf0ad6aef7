"""thalweg plot: a figure of a prediction."""

from pathlib import Path

from thalweg.cli.inputs import add_data, read_data, write_figure

KINDS = {"hydrographs": "predicted and observed series, a panel per place"}


def arguments(parser):
    parser.add_argument("kind", choices=KINDS, help="; ".join(f"{name}: {text}" for name, text in KINDS.items()))
    parser.add_argument("--prediction", type=Path, required=True, help="*.nc written by thalweg predict")
    add_data(parser, required=False)
    parser.add_argument("--places", nargs="+", help="ids; by default the first six")
    parser.add_argument("--output", type=Path, required=True, help="figure; *.png and *.pdf are written")


def run(args):
    import xarray as xr

    import thalweg

    period, args.period = args.period, None
    with xr.open_dataset(args.prediction, engine="h5netcdf") as file:
        figure = thalweg.plot.hydrographs(file.load(), read_data(args), args.places, period)
    print(*write_figure(figure, args.output, {"prediction": str(args.prediction)}), sep="\n")
