"""thalweg predict: simulate with a trained model, on catchments or sites that need no observations."""

from pathlib import Path

from thalweg.cli.inputs import add_data, add_model, read_data


def arguments(parser):
    add_model(parser)
    add_data(parser)
    parser.add_argument(
        "--levels", nargs="*", type=float, default=[0.9], help="probabilities of intervals; default: 0.9"
    )
    parser.add_argument("--members", action="store_true", help="each member of the model instead of their mean")
    parser.add_argument("--output", type=Path, required=True, help="prediction, *.nc or *.csv")


def run(args):
    import thalweg
    from thalweg.storage.store import provenance, write_netcdf, write_table

    model = thalweg.load(args.model)
    domain = read_data(args)
    prediction = model.predict(domain, members=args.members, levels=tuple(args.levels))
    record = provenance({"model": args.model, "job": model.header["job"]}, seed=model.header["seeds"])
    if args.output.suffix == ".csv":
        write_table(as_table(prediction), args.output, record)
    else:
        write_netcdf(prediction, args.output, record)
    name = model.variables[0]
    unit = prediction[name].attrs["units"]
    print(
        f"{args.output}: {name.replace('_', ' ')} of {prediction.sizes['place']} places, {prediction.sizes['time']} steps, "
        f"mean {float(prediction[name].mean()):.4g} {unit}"
    )


def as_table(prediction):
    """A prediction as a table with a row per time and place; units stand in brackets.

    Args:
        prediction: Dataset as returned by :meth:`thalweg.library.model.Model.predict`.
    """
    columns = {}
    for name, values in prediction.data_vars.items():
        if "time" not in values.dims:
            continue
        unit = values.attrs["units"]
        for where, one in _each(values, ("level", "member")):
            columns[f"{name}{where} [{unit}]"] = one.transpose("time", "place").values.ravel()
    import pandas as pd

    index = pd.MultiIndex.from_product([prediction.time.values, prediction.place.values], names=["time", "place"])
    return pd.DataFrame(columns, index=index).reset_index()


def _each(values, dimensions):
    """(text, part) of every combination of the dimensions that an array has."""
    for dimension in dimensions:
        if dimension in values.dims:
            for i in range(values.sizes[dimension]):
                label = f"{float(values[dimension][i]):g}" if dimension in values.coords else str(i)
                yield from ((f"_{label}{where}", one) for where, one in _each(values.isel({dimension: i}), dimensions))
            return
    yield "", values
