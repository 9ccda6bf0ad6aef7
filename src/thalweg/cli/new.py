"""thalweg new: write a process, loss, metric, dataset, split, figure or analysis to edit; of a process also its tests."""

import importlib.util
import keyword
from pathlib import Path
from string import Template

from thalweg.storage.store import atomic

TEMPLATES = Path(__file__).parent / "templates"
IN_A_STUDY = {  # how a study, or a call, names what was written
    "process": "process: {module}:{name}  (a model)",
    "loss": "training: {{loss: {module}:{name}}}",
    "metric": "evaluation: {{metrics: [NSE, {module}:{name}]}}",
    "dataset": "kind: {module}  (a domain)",
    "split": "kind: {module}:{name}  (an experiment)",
    "figure": "figures: [{module}:{name}]",
    "analysis": "analyses: [{module}:{name}]",
}


class NewError(ValueError):
    """A name that cannot be used, or a file that is there already."""


def arguments(parser):
    parser.add_argument("kind", choices=IN_A_STUDY, help="what to write")
    parser.add_argument("own", metavar="name", help="of the file and of the function in it, such as linear_store")
    parser.add_argument("--folder", type=Path, default=Path("."), help="where to write it (default: %(default)s)")


def run(args):
    module = module_of(args.folder, args.own)
    files = written(args.kind, args.own, module)
    for name in files:
        if (args.folder / name).exists():
            raise NewError(f"{args.folder / name} is there already; choose another name or folder, or delete it")
    for name, text in files.items():
        with atomic(args.folder / name) as temporary:
            temporary.write_text(text)
        print(args.folder / name)
    print(f"In a study:  {IN_A_STUDY[args.kind].format(module=module, name=args.own)}")
    root = args.folder.resolve().parents[module.count(".") - 1] if "." in module else args.folder.resolve()
    print(f"Python finds it when {root} is in PYTHONPATH, or its package is installed.")
    if args.kind == "process":
        print(f"Test it:     pytest {args.folder / f'test_{args.own}.py'}")


def module_of(folder, name):
    """Dotted name of a module in a folder, after the packages that contain it.

    Raises:
        NewError: for a name that Python does not take, or that hides another module.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise NewError(
            f"{name!r} is not a name of a function in Python; use letters, digits and _, such as linear_store"
        )
    parts, folder = [name], Path(folder).resolve()
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    if len(parts) == 1 and importlib.util.find_spec(name) is not None and not (folder / f"{name}.py").exists():
        raise NewError(f"{name!r} is the name of an installed module, which it would hide; choose another name")
    return ".".join(parts)


def written(kind, name, module):
    """Files of a kind: name -> text.

    Args:
        kind: a key of :data:`IN_A_STUDY`.
        name: of the file and its function.
        module: dotted name of the file.
    """
    files = {f"{name}.py": f"{kind}.py.txt"}
    if kind == "process":
        files[f"test_{name}.py"] = "test_process.py.txt"
    return {
        file: Template((TEMPLATES / template).read_text()).substitute(name=name, module=module)
        for file, template in files.items()
    }
