"""thalweg evaluate: metrics of a prediction at places with observations."""

from pathlib import Path

from thalweg.cli.inputs import add_data, read_data


def arguments(parser):
    parser.add_argument("prediction", type=Path, help="*.nc written by thalweg predict")
    add_data(parser)
    parser.add_argument("--metrics", nargs="+", help="names (thalweg list metrics)")
    parser.add_argument("--variable", help="by default the first that was predicted and observed")
    parser.add_argument("--output", type=Path, help="table of places, *.csv")


def run(args):
    import xarray as xr

    import thalweg
    from thalweg.storage.store import provenance, write_table

    with xr.open_dataset(args.prediction, engine="h5netcdf") as file:
        prediction = file.load()
    table = thalweg.evaluate(prediction, read_data(args), args.metrics, variable=args.variable)
    if args.output:
        write_table(table, args.output, provenance({"metrics": args.metrics}, inputs=[args.prediction]), index=True)
    print(table.describe().loc[["count", "25%", "50%", "75%"]].to_string(float_format=lambda value: f"{value:.3f}"))
