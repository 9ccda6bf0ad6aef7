"""thalweg step split: a domain in, the table of folds out."""

from thalweg.basin.domain import read_domain
from thalweg.experiments.splits import make_splits
from thalweg.schema import settings_from
from thalweg.settings.blocks import Split
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--domain", required=True, help="netCDF of the domain")
    parser.add_argument("--settings", required=True, help="the experiment's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="the split, CSV")


def run(args):
    split = settings_from(Split, args.settings)
    table = make_splits(read_domain(args.domain), split)
    write_table(table, args.output, provenance(split.model_dump(mode="json"), inputs=[args.domain]))
