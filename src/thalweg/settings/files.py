"""Configuration files: reading with overrides, the JSON schema, and the commented default file."""

import json
from pathlib import Path

import yaml
from pydantic import BaseModel

from thalweg.schema import ConfigError, validated
from thalweg.settings.study import Study


def merge(base, override):
    """``override`` laid over ``base``: mappings are merged, null removes a key of a mapping, all else is replaced."""
    result = dict(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def _without_null(values, removable):
    return {
        key: _without_null(value, removable) if isinstance(value, dict) and key in removable else value
        for key, value in values.items()
        if value is not None
    }


def read_study(folder, overrides=None):
    """The study that ``overrides`` ask for.

    ``config.yaml`` in ``folder`` is the base; ``overrides["study"]`` names a file in its ``studies`` folder that is laid
    over it, after the study that this file ``extends``, where it does; the other overrides are laid over all of them.

    Args:
        folder: the config folder.
        overrides: nested mapping, as from ``snakemake --config``.

    Returns:
        Study

    Raises:
        ConfigError: for an unknown study or key, studies that extend each other, a wrong unit or an impossible value.
    """
    folder, overrides = Path(folder), dict(overrides or {})
    values = _read(folder / "config.yaml")
    for layer in _layers(folder / "studies", overrides.get("study", values.get("study", "default"))):
        values = merge(values, layer)
    values = merge(values, overrides)
    for block in ("domains", "models", "experiments", "claims"):
        if isinstance(values.get(block), dict):
            values[block] = _without_null(values[block], removable=set(values[block]))
    return validated(Study, values, folder)


def _layers(folder, name):
    """The files of a study and of those that it ``extends``, one over the other, in the order in which they are laid."""
    layers, chain = [], []
    while name != "default":
        source = f"{folder / chain[-1]}.yaml: extends" if chain else "study"
        path = folder / f"{name}.yaml"
        if name in chain:
            raise ConfigError(
                f"{source}: {name!r} closes a circle, {' -> '.join([*chain, name])}; one of them must not extend the next"
            )
        if not path.exists():
            known = ", ".join(["default", *sorted(file.stem for file in folder.glob("*.yaml"))])
            raise ConfigError(f"{source}: {name!r} has no file {path}; there are {known}")
        chain.append(name)
        layer = {"study": name, **_read(path)}
        name = layer.pop("extends", "default")
        layers.insert(0, layer)
    return layers


def _read(path):
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from error


def resolved(study):
    """The study as plain values, ready for YAML or JSON."""
    return study.model_dump(mode="json")


def schema_text():
    """The JSON schema of a study, as text."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def default_text():
    """The default configuration as commented YAML."""
    lines = [
        "# The default study. Written by 'thalweg config --write' from src/thalweg/settings/study.py; change defaults there.",
        "# A study of your own is a file in config/studies with only the keys that differ: snakemake --config study=NAME.",
        "",
    ]
    study = Study()
    values, explained = resolved(study), set()
    for name, field in Study.model_fields.items():
        lines += [f"# {field.description}", *_lines(name, values[name], getattr(study, name), 0, explained), ""]
    return "\n".join(lines).rstrip() + "\n"


def _lines(key, value, source, depth, explained):
    """Lines of one key; a field of a block is explained where it first comes up."""
    indent = "  " * depth
    if isinstance(source, BaseModel):
        head = [f"{indent}{key}:"]
        for name, field in type(source).model_fields.items():
            inner = _lines(name, value[name], getattr(source, name), depth + 1, explained)
            if field.description and len(inner) == 1 and (type(source), name) not in explained:
                inner[0] += f"  # {field.description}"
                explained.add((type(source), name))
            head += inner
        return head
    if isinstance(source, dict) and source:
        head = [f"{indent}{key}:"]
        for name, item in source.items():
            head += _lines(name, value[name], item, depth + 1, explained)
        return head
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return [f"{indent}{key}: {text.removesuffix('...' + chr(10)).strip()}"]
