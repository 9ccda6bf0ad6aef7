"""thalweg step analyse: inputs of an analysis in, its tables out."""

import pandas as pd

from thalweg.cli.calls import add_arguments, run_all
from thalweg.storage.store import write_table


def arguments(parser):
    add_arguments(parser, "analysis", "thalweg.analysis")


def run(args):
    run_all(args, "analysis", "analyse", _write)


def _write(tables, output, record):
    tables = {"": tables} if isinstance(tables, pd.DataFrame) else tables
    for end, table in tables.items():
        write_table(table, f"{output}{'_' if end else ''}{end}.csv", record)
