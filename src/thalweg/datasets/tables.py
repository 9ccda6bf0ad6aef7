"""Reading tables that people write: every error names file, line, column, value and remedy.

A table is text with a header. Columns are separated by commas, semicolons, tabs or bars, whichever the header has; between
other separators than commas a number may have a decimal comma. Lines that begin with ``#`` are comments. The encoding is
UTF-8 or UTF-16, else Windows-1252 (of which Latin-1 is a part), with a warning. Ids are texts: ``007`` and ``NA`` stay as
they are.
"""

import csv
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError

GAPS = ("", "na", "n/a", "#n/a", "nan", "null", "none")  # of numbers, in any case
HEADER = re.compile(r"\s*(?P<name>.+?)\s*\[(?P<unit>.*)\]\s*")
SEPARATORS = ",;\t|"
COMMA = re.compile(r"<?\s*[+-]?\d+,\d+([eE][+-]?\d+)?")
POINT = re.compile(r"<?\s*[+-]?\d*\.\d+([eE][+-]?\d+)?")
BINARY = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x1f\x8b": "compressed",
    b"\x89HDF": "netCDF",
    b"CDF": "netCDF",
}


def header_of(text):
    """Name and unit of a header such as "area [km2]"; the unit is None if there is none."""
    found = HEADER.fullmatch(text)
    return (found["name"], found["unit"].strip()) if found else (text.strip(), None)


def read_table(path, columns):
    """A table as texts.

    Args:
        path: the file.
        columns: names that its header must have.

    Returns:
        DataFrame of str, without empty rows, indexed by the line of the file.

    Raises:
        DataError: the file is missing, empty, no table or not text; a column is missing, has no name or is there twice; a
            row has another number of fields than the header.
    """
    path = Path(path)
    lines = re.split(r"\r\n|\r|\n", _text(path, columns))
    separator = None
    if lines and re.fullmatch(r"sep=.", lines[0]):
        separator, lines[0] = lines[0][-1], ""
    names = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    comments = [line.lstrip()[1:] for line in lines if line.lstrip().startswith("#")]
    if comments and not (names and _has(names[0], columns)):
        at = next(
            (i for i, line in enumerate(lines) if line.lstrip().startswith("#") and _has(line[1:], columns)), None
        )
        if at is not None:  # the header is a comment, as numpy.savetxt writes it
            lines[at] = lines[at].lstrip()[1:]
            names = [lines[at]]
    if not names:
        raise DataError(f"{path}: the table is empty; write a header with {', '.join(columns)} and a row for each")
    separator = separator or max(SEPARATORS, key=re.sub(r"\[[^\]]*\]|\"[^\"]*\"", "", names[0]).count)
    rows = _rows(lines, separator, path)
    _, header = rows[0]
    header = [name.strip() for name in header]
    whole = len(header)  # with the separators that some programs write at the end of every line
    while len(header) > 1 and header[-1] == "":
        header.pop()
    _check_header(header, columns, path)
    numbers, body = [], []
    for number, row in rows[1:]:
        row = [field.strip() for field in row]
        if not any(row):
            continue
        if len(row) == whole and not any(row[len(header) :]):
            row = row[: len(header)]
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {number}: {len(row)} fields, but the header has {len(header)}; leave a missing value "
                "empty but keep its separator, and write numbers with a decimal point (a decimal comma needs semicolons "
                "between columns)"
            )
        numbers.append(number)
        body.append(row)
    if not body:
        raise DataError(f"{path}: the table has no rows; write one for each {' and '.join(columns)}")
    frame = pd.DataFrame(body, index=pd.Index(numbers, name="line"), columns=header, dtype=str)
    for column in columns:
        if column != "downstream" and (frame[column] == "").any():
            line = frame.index[frame[column] == ""][0]
            raise DataError(f"{path}, line {line}: column '{column}' is empty; write its value, or drop the row")
    return frame if separator == "," else _with_points(frame, path)


def read_written(path, **options):
    """A large CSV written by a program, read by pandas.

    Raises:
        DataError: naming the file, if it is empty, no text or no table.
    """
    try:
        return pd.read_csv(path, **options)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {str(error).strip()}; unpack or save it again as CSV (UTF-8)") from None


def _text(path, columns):
    if not path.exists():
        raise DataError(
            f"{path}: the file is missing; write a table with the columns {', '.join(columns)}, 'name [unit]'"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a file of text") from None
    for start, kind in BINARY.items():
        if content.startswith(start):
            raise DataError(f"{path}: the file is {kind}, not text; save the table as CSV (UTF-8)")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            raise DataError(f"{path}, line {line}: the text is not UTF-8; save the table as CSV (UTF-8)") from None
        warnings.warn(
            f"{path}, line {line}: the text is not UTF-8; read as Windows-1252 (Latin-1): save it as UTF-8 if names look wrong",
            stacklevel=2,
        )
    if "\0" in text:
        raise DataError(f"{path}: the file holds zero bytes and is not text; save the table as CSV (UTF-8)")
    return text


def _has(line, columns):
    fields = [field.strip().strip('"') for field in re.split(f"[{SEPARATORS}]", line)]
    return set(columns) <= set(fields)


def _rows(lines, separator, path):
    """(line, fields) of every line with text; the first is the header."""
    there = ("" if line.lstrip().startswith("#") else line for line in lines)
    reader, rows, before = csv.reader(there, delimiter=separator, skipinitialspace=True, strict=True), [], 0
    try:
        for row in reader:
            if reader.line_num > before + 1:
                raise csv.Error("a quotation mark is not closed")
            before = reader.line_num
            if any(field.strip() for field in row):
                rows.append((before, row))
    except csv.Error as error:
        what = "a quotation mark is not closed" if "end of data" in str(error) else error
        raise DataError(f"{path}, line {before + 1}: {what}; close it on the same line, or remove it") from None
    return rows


def _check_header(header, columns, path):
    for position, name in enumerate(header, start=1):
        if not name:
            raise DataError(f"{path}: column {position} has no name; name it, or remove it")
    seen = {}
    for text in header:
        name, unit = header_of(text)
        if name in seen:
            units = [seen[name], unit]
            raise DataError(
                f"{path}: column '{name}' is there twice"
                + (f", with the units {units[0]} and {units[1]}" if None not in units else "")
                + "; keep one"
            )
        seen[name] = unit
    for name in columns:
        if name not in header:
            one = "" if len(header) > 1 else "; separate columns by commas, semicolons or tabs"
            raise DataError(f"{path}: column '{name}' is missing; available: {', '.join(header[:20])}{one}")


def _with_points(frame, path):
    """Decimal commas of the columns with a unit as points."""
    numbers = [position for position, name in enumerate(frame.columns) if header_of(name)[1] is not None]
    commas, points = (_matches(frame.iloc[:, numbers], form) for form in (COMMA, POINT))
    if not numbers or not commas.to_numpy().any():
        return frame
    if points.to_numpy().any():
        comma, point = (frame.index[found.any(axis=1)][0] for found in (commas, points))
        raise DataError(
            f"{path}: line {comma} has a number with a comma and line {point} one with a point; use one of them for decimals, "
            "and nothing between thousands"
        )
    frame = frame.copy()
    for position in numbers:
        name = frame.columns[position]
        frame[name] = frame[name].where(~commas[name], frame[name].str.replace(",", "."))
    return frame


def _matches(frame, form):
    return frame.apply(lambda column: column.map(lambda text: form.fullmatch(text) is not None))


def read_numbers(column, source, limits=False):
    """Numbers of one column of text.

    Args:
        column: Series of str, indexed by line of the file; its name is the column's header.
        source: file, for messages.
        limits: whether "<0.1" is allowed: a value below 0.1.

    Returns:
        (values, censored): arrays of float, NaN in gaps and the limit where a value lies below it; and of bool.

    Raises:
        DataError: the message names file, line, column and the first text that is not a finite number, or a limit that
            is not above 0.
    """
    text = column.str.strip()
    below = text.str.startswith("<").to_numpy(bool) & limits
    values = pd.to_numeric(text.where(~below, text.str[1:]), errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(
        below & (values <= 0) | ~np.isfinite(values) & (below | ~text.str.lower().isin(GAPS).to_numpy())
    )
    if len(wrong):
        expected = "a number, or '<' and a detection limit" if limits else "a number"
        raise DataError(
            f"{source}, line {column.index[wrong[0]]}: column '{column.name}' is '{column.iloc[wrong[0]]}'; "
            f"expected {expected} (with a decimal point, not a comma), or nothing for a missing value"
        )
    return values, below
