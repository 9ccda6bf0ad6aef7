"""Files that come with the package: its configuration and its weights, in a checkout and when installed."""

import json
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
CONFIG = "config"
WEIGHTS = "weights"
SUFFIX = ".safetensors"


class NotInstalled(ValueError):
    """A file or a name that the package does not have; the message lists what there is."""


def config(name):
    """Path of a configuration file, such as ``config.yaml``: of the project in a checkout, of the package when installed.

    Raises:
        NotInstalled: if there is none.
    """
    for folder in (PACKAGE / CONFIG, PACKAGE.parents[1] / CONFIG):
        if (folder / name).exists():
            return folder / name
    raise NotInstalled(f"the package has no file {name}; install it again")


def weights(name):
    """Path of a model file: the path itself, or the file of a name that comes with the package.

    Raises:
        NotInstalled: if it is neither.
    """
    path = Path(name)
    if path.suffix == SUFFIX or path.exists():
        return path
    if str(name) not in weights_names():
        raise NotInstalled(
            f"there is no model {str(name)!r}; there are {', '.join(weights_names()) or 'none'}, or pass the path of a model "
            f"file, *{SUFFIX}"
        )
    return PACKAGE / WEIGHTS / f"{name}{SUFFIX}"


def weights_names():
    """Names of the models that come with the package, sorted."""
    return sorted(path.stem for path in (PACKAGE / WEIGHTS).glob(f"*{SUFFIX}"))


def weights_header(path):
    """The header of a model file as a mapping, read without its weights (and without PyTorch).

    Raises:
        NotInstalled: if the file is missing or is no model file.
    """
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            return json.loads(json.loads(file.read(size))["__metadata__"]["json"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotInstalled(f"{path}: it is not a model file ({error}); pass a file that thalweg wrote") from error
