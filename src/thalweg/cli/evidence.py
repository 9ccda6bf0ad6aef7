"""What the steps that ask a question of one experiment share: their arguments, and the table and the evidence that they write."""

from thalweg.basin.domain import DataError, read_domain
from thalweg.evaluation.evidence import evidence_table
from thalweg.storage.store import provenance, write_table


def add_arguments(parser, table, **inputs):
    """Add the arguments of a question.

    Args:
        parser: of the step.
        table: what the table holds.
        inputs: name -> help, each one or more files; those of ``domain`` and ``splits`` are one file.
    """
    for name, text in inputs.items():
        one = name in ("domain", "splits")
        parser.add_argument(f"--{name}", required=True, help=text, **({} if one else {"nargs": "+"}))
    parser.add_argument("--settings", required=True, help="models, reference, minimum_days, bootstrap_samples as JSON")
    parser.add_argument("--names", nargs=2, metavar=("DOMAIN", "EXPERIMENT"), required=True)
    parser.add_argument("--table", required=True, help=f"{table}, CSV")
    parser.add_argument("--evidence", required=True, help="evidence, CSV")


def write(args, settings, inputs, table, rows):
    """Write a question's table and evidence, with the names of the domain and the experiment.

    Args:
        args: of the step.
        settings: plain values, for the provenance.
        inputs: paths that were read.
        table: DataFrame.
        rows: of evidence.
    """
    record = provenance(settings, inputs=inputs)
    table.insert(0, "domain", args.names[0])
    table.insert(1, "experiment", args.names[1])
    write_table(table, args.table, record)
    write_table(evidence_table(rows, *args.names), args.evidence, record)


def read_daily(path):
    """The domain of a question that is asked of days.

    Raises:
        DataError: when its step is another.
    """
    domain = read_domain(path)
    if domain.step != "day":
        raise DataError(
            f"{path}: its step is {domain.step}, but this is asked of daily series; leave the analysis out of the study"
        )
    return domain
