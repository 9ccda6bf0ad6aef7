"""The tutorials: notebooks that are run, and written as pages of the site.

``python docs/notebooks.py`` runs all of docs/tutorials again and writes their results into them; names of notebooks, without the
ending, limit it to these.
"""

import base64
import json
import os
import re
import sys
import tempfile
import textwrap
from pathlib import Path

FOLDER = Path(__file__).parent / "tutorials"
PICTURE = "image/png"
WIDTH = 90  # letters in a line of a block
STYLE = re.compile(r"<style.*?</style>\n?", re.DOTALL)
WARNING = re.compile(
    r"^\S+\.py:\d+: (\w*Warning: .*)\n  .*\n", re.MULTILINE
)  # with the path of a file, and a line of it
SCRIPTS = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def paths():
    """The notebooks, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.ipynb"))}


def execute(path, folder, seconds=600):
    """Run a notebook from its first cell to its last.

    Args:
        path: of the notebook, which is not changed.
        folder: in which it runs.
        seconds: that a cell may take.

    Returns:
        The notebook with its results.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell raises.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    environment = os.environ | {
        "PATH": SCRIPTS,
        "TQDM_DISABLE": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute(env=environment)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        if output.output_type == "stream":
            output.text = WARNING.sub(r"\1\n", output.text)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return notebook


def picture_of(cell):
    """The picture that a cell shows, as bytes; None if it shows none."""
    found = [output["data"][PICTURE] for output in cell.get("outputs", ()) if PICTURE in output.get("data", {})]
    return base64.b64decode(found[-1]) if found else None


def page(path):
    """A notebook as a page.

    Returns:
        (text in Markdown, name of a file beside the page -> bytes of a picture)
    """
    parts, pictures = [], {}
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if PICTURE in data:
                name = f"{path.stem}_{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data[PICTURE])
                parts.append(f"![The figure that the cell above draws]({name})")
            elif "text/html" in data:
                table = STYLE.sub("", "".join(data["text/html"]))
                parts.append(re.sub(r'<table border="1" class="dataframe">', "<table>", table))
            elif text := "".join(output.get("text", data.get("text/plain", ""))).rstrip():
                warned = output.get("name") == "stderr"
                parts.append(_admonition(text) if warned else f"```text\n{_wrapped(text)}\n```")
    parts.append(f"[The notebook of this page]({path.name}), to be run and changed.")
    return "\n\n".join(parts) + "\n", pictures


def _admonition(text):
    title, _, rest = text.partition(": ")
    paragraphs = rest.replace(f"\n{title}: ", "\n\n").splitlines()
    return "\n".join([f'!!! warning "{title}"', "", *(f"    {line}".rstrip() for line in paragraphs)])


def _wrapped(text):
    """A single long line as several."""
    return text if "\n" in text else textwrap.fill(text, WIDTH)


def main(names):
    import nbformat

    for name in names or paths():
        with tempfile.TemporaryDirectory() as folder:
            done = execute(paths()[name], folder)
        text = nbformat.writes(done)
        paths()[name].write_text(text.rstrip("\n") + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
