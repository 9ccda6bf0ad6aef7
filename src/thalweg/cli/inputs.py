"""Arguments that name a user's data and a model, shared by the verbs for people."""

from pathlib import Path

from thalweg.forcing.evapotranspiration import METHODS
from thalweg.schema import ConfigError

EXAMPLES = {"--set": "steps=300", "--set-split": "validation=none"}


def add_data(parser, required=True):
    """Add the arguments that say where catchments or sites are."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--catchments", type=Path, help="folder of your own catchments (docs/guides/own_data.md)")
    group.add_argument("--sites", type=Path, help="folder of your own sampling sites")
    group.add_argument("--dataset", help="name of a dataset of the package, which is downloaded at its first use")
    parser.add_argument(
        "--period", nargs=2, metavar=("FIRST", "LAST"), help="days or years used; by default all that are there"
    )
    parser.add_argument(
        "--potential-evapotranspiration",
        choices=["given", *METHODS],
        help="of catchments: of the series (given), or computed by this method",
    )


def read_data(args):
    """The domain that the arguments name; None if they name none."""
    import thalweg

    keys = {"period": args.period} if args.period else {}
    if args.potential_evapotranspiration:
        keys["potential_evapotranspiration"] = args.potential_evapotranspiration
    if args.catchments:
        return thalweg.catchments(args.catchments, **keys)
    if args.sites and keys:
        raise ConfigError(f"--sites {args.sites}: {' and '.join(keys)} cannot be given for sites; omit it")
    if args.sites:
        return thalweg.sites(args.sites)
    return thalweg.dataset(args.dataset, **keys) if args.dataset else None


def add_model(parser):
    parser.add_argument(
        "--model", required=True, help="name of a trained model (thalweg list weights), or a model file"
    )


def settings_of(pairs, option="--set"):
    """Settings written as key=value, the values as in YAML.

    >>> settings_of(["steps=300", "dynamic=[BETA, K0]"])
    {'steps': 300, 'dynamic': ['BETA', 'K0']}
    """
    import yaml

    found = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{option} {pair}: write key=value, such as {option} {EXAMPLES[option]}")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(
                f"{option} {pair}: the value is no YAML ({error}); write for example dynamic=[BETA]"
            ) from None
    return found


def write_figure(figure, path, settings):
    """Write a figure as PNG and PDF beside each other."""
    from thalweg.figures.style import save
    from thalweg.storage.store import provenance

    return save(figure, Path(path).with_suffix(""), provenance(settings))
