"""thalweg step explorer: results of a study in; one page with its places, series, parameters and scores out."""

from thalweg.explorer.page import SERIES_MEGABYTES, write_explorer


def arguments(parser):
    parser.add_argument("--results", required=True, help="folder of the study")
    parser.add_argument("--map", help="folder of the map dataset; without it no coast is drawn")
    parser.add_argument(
        "--megabytes",
        type=float,
        default=SERIES_MEGABYTES,
        help="of series in the page at most (default: %(default)s)",
    )
    parser.add_argument("--output", required=True, help="HTML")


def run(args):
    write_explorer(args.results, args.output, args.map, args.megabytes)
