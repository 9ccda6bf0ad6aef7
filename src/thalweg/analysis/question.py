"""Shared by the analyses of one experiment: the daily domain they read, and the table and evidence they return."""

from thalweg.basin.domain import DataError, read_domain
from thalweg.evaluation.evidence import evidence_table


def read_daily(path):
    """The domain of an analysis of daily series.

    Raises:
        DataError: if its step is not a day.
    """
    domain = read_domain(path)
    if domain.step != "day":
        raise DataError(
            f"{path}: its time step is {domain.step}, but the analysis needs daily series; omit it from the study"
        )
    return domain


def answered(table, rows, domain, experiment):
    """A table with the names of its domain and experiment, and its evidence.

    Args:
        table: DataFrame.
        rows: of evidence.
        domain, experiment: names.

    Returns:
        dict: end of a table's name -> DataFrame.
    """
    table.insert(0, "domain", domain)
    table.insert(1, "experiment", experiment)
    return {"": table, "evidence": evidence_table(rows, domain, experiment)}
