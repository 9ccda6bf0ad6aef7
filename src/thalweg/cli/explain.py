"""thalweg explain: what a model thinks of a place."""

from pathlib import Path

from thalweg.cli.inputs import add_data, add_model, read_data, write_figure


def arguments(parser):
    add_model(parser)
    add_data(parser)
    parser.add_argument("--place", required=True, help="id of a catchment or site")
    parser.add_argument("--output", type=Path, required=True, help="folder of the text, the tables and the figure")


def run(args):
    import thalweg
    from thalweg.storage.store import atomic, provenance, write_netcdf, write_table

    found = thalweg.explain(thalweg.load(args.model), read_data(args), args.place)
    record = provenance({"model": args.model, "place": args.place})
    for name in ("parameters", "balance", "elasticity", "outside"):
        table = getattr(found, name)
        if len(table):
            write_table(table.reset_index(), args.output / f"{name}.csv", record)
    if found.fluxes:
        write_netcdf(found.fluxes, args.output / "fluxes.nc", record)
    with atomic(args.output / "explanation.txt") as temporary:
        temporary.write_text(str(found))
    write_figure(
        thalweg.plot.explanation(found), args.output / "explanation", {"model": args.model, "place": args.place}
    )
    print(found)
