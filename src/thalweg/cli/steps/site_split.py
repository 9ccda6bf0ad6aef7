"""thalweg site_split: sites in, the table of who trains and who is tested out."""

from thalweg.basin.sites import read_sites
from thalweg.experiments.site_splits import make_site_splits
from thalweg.settings.blocks import settings_from
from thalweg.settings.sites import SiteSplit
from thalweg.storage.store import provenance, write_table


def arguments(parser):
    parser.add_argument("--sites", required=True, help="netCDF of the sites")
    parser.add_argument("--settings", required=True, help="the experiment's block of the configuration, as JSON")
    parser.add_argument("--output", required=True, help="table of folds, CSV")


def run(args):
    split = settings_from(SiteSplit, args.settings)
    table = make_site_splits(read_sites(args.sites), split)
    write_table(table, args.output, provenance(split.model_dump(mode="json"), inputs=[args.sites]))
