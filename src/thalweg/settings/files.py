"""Configuration files: the defaults, the study laid over them, and the overrides of the command line.

A study's file states what the study chose; :mod:`thalweg.settings.shorthand` writes it out in full.
"""

from pathlib import Path

import yaml

from thalweg.schema import ConfigError, validated
from thalweg.settings.shorthand import families_of, full
from thalweg.settings.study import Study

DEFAULTS = "config.yaml"
COMMAND_LINE = "the command line"


def merge(base, override):
    """``override`` laid over ``base``: mappings are merged, all else is replaced."""
    result = dict(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def read_study(folder, overrides=None):
    """A study of a folder of configuration files.

    ``config.yaml`` in ``folder`` holds the defaults. ``overrides["study"]`` names a file in its folder ``studies``, which is laid
    over them, after the study that it ``extends``, if any; the other overrides are laid over all of these.

    Args:
        folder: the config folder.
        overrides: nested mapping, as from ``snakemake --config``.

    Returns:
        Study

    Raises:
        ConfigError: for an unknown study or key, studies that extend each other, a wrong unit or an impossible value.
    """
    folder, overrides = Path(folder), dict(overrides or {})
    defaults = read(folder / DEFAULTS)
    layers = _layers(folder / "studies", overrides.get("study", defaults.get("study", "default")))
    return compose([(folder / DEFAULTS, defaults), *layers, (COMMAND_LINE, overrides)])


def compose(layers):
    """The study of several layers, each laid over those before.

    Args:
        layers: (source, values) of each; the source is named in errors.

    Returns:
        Study. It holds the models that its experiments use, in the order of the layers.

    Raises:
        ConfigError: as for :func:`read_study`.
    """
    values = {}
    for _, layer in layers:
        values = merge(values, layer)

    def where(path):
        source = _source(layers, path)
        return f", {'on' if source == COMMAND_LINE else 'in'} {source}"

    study = validated(Study, full(values, where), f"study {values.get('study', 'default')}", where)
    used = {name for experiments in study.experiments.values() for one in experiments.values() for name in one.models}
    return study.model_copy(update={"models": {name: model for name, model in study.models.items() if name in used}})


def resolved(study):
    """The study as plain values, ready for YAML or JSON."""
    return study.model_dump(mode="json")


def names(folder):
    """Names of the studies of a config folder."""
    return sorted(path.stem for path in Path(folder, "studies").glob("*.yaml"))


def _layers(folder, name):
    """(path, values) of a study and of those that it ``extends``, in the order in which they are laid."""
    layers, chain = [], []
    while name is not None:
        source = f"{folder / chain[-1]}.yaml: extends" if chain else "study"
        path = folder / f"{name}.yaml"
        if name in chain:
            raise ConfigError(
                f"{source}: {name!r} closes a circle, {' -> '.join([*chain, name])}; one of them must not extend the next"
            )
        if not path.exists():
            raise ConfigError(f"{source}: {name!r} has no file {path}; there are {', '.join(names(folder.parent))}")
        chain.append(name)
        values = {"study": name, **read(path)}
        name = values.pop("extends", None)
        layers.insert(0, (path, values))
    return layers


def _source(layers, path):
    """The last layer that sets the key of a path, or the innermost mapping around it that any layer sets."""
    depths = [max(_depth(values, one) for one in _written(values, path)) for _, values in layers]
    return layers[max(range(len(layers)), key=lambda number: (depths[number], number))][0]


def _written(values, path):
    """A path as it may stand in a file: that of a claim with its family."""
    if path[:1] != ("claims",):
        return [path]
    return [path, *(("claims", family, *path[1:]) for family in families_of(values))]


def _depth(values, path):
    """How many keys of a path a nested mapping holds; others, such as the kind of a model, are passed over."""
    depth = 0
    for part in path:
        if isinstance(values, dict) and part in values:
            values, depth = values[part], depth + 1
    return depth


class _Loader(yaml.SafeLoader):
    """YAML whose days stay text, and in which a key that stands twice is an error."""

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise yaml.composer.ComposerError(None, None, f"{key!r} stands twice", node.value[number][0].start_mark)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path):
    """The mapping in a YAML file; ConfigError when it is not one."""
    try:
        values = yaml.load(Path(path).read_text(), _Loader) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds a {type(values).__name__}; expected keys with values, such as 'seeds: [0]'")
    return values
