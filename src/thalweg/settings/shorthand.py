"""What a study's file need not repeat, written out: the ``defaults`` of a block, and the families of claims.

- ``models``: ``defaults`` are keys of every model with a process; ``kind`` is process where it is not stated;
- ``experiments``: ``defaults`` of a domain are keys of each of its experiments;
- ``claims``: claims stand under their family; ``defaults`` of all, and of a family, are keys of each claim whose kind has them.

A key that a model, experiment or claim states itself wins. An entry that is null is removed.
"""

from thalweg.schema import ConfigError
from thalweg.settings.claims import FAMILIES, KINDS

DEFAULTS = "defaults"
REMOVABLE = {
    "domains": 2,
    "models": 2,
    "experiments": 2,
    "claims": 3,
}  # block -> depth down to which null removes a key


def full(values, where=lambda path: ""):
    """The values of a study with all that its file leaves out, ready for :class:`~thalweg.settings.study.Study`.

    Args:
        values: what the files say, as nested mappings.
        where: function of a path of keys, text on where it was written.

    Raises:
        ConfigError: when a block or an entry is no mapping, a family is unknown, or two families have a claim of one name.
    """
    values = dict(values)
    for block, depth in REMOVABLE.items():
        if values.get(block) is None:
            values.pop(block, None)
        elif isinstance(values[block], dict):
            values[block] = _without_null(values[block], depth)
    for block, write_out in (("models", _models), ("experiments", _experiments), ("claims", _claims)):
        if block in values:
            values[block] = write_out(_mapping(values[block], (block,), where), where)
    return values


def families_of(values):
    """Names of the families of claims in what a file says."""
    claims = values.get("claims")
    return [name for name in claims if name in FAMILIES] if isinstance(claims, dict) else []


def _without_null(values, depth):
    return {
        key: _without_null(value, depth - 1) if isinstance(value, dict) and depth > 1 else value
        for key, value in values.items()
        if value is not None
    }


def _mapping(value, path, where):
    if not isinstance(value, dict):
        raise ConfigError(f"{'.'.join(map(str, path))}: expected keys with values (given: {value!r}){where(path)}")
    return value


def _entries(block, path, where):
    """(defaults, other entries) of a block, all of which are mappings."""
    block = _mapping(block, path, where)
    entries = {name: _mapping(value, (*path, name), where) for name, value in block.items()}
    return entries.pop(DEFAULTS, {}), entries


def _over(defaults, values):
    """``values`` over ``defaults``; overrides of training are merged."""
    training = {**(defaults.get("training") or {}), **(values.get("training") or {})}
    return {**defaults, **values, **({"training": training} if training else {})}


def _models(block, where):
    defaults, models = _entries(block, ("models",), where)
    models = {name: {"kind": "process"} | values for name, values in models.items()}
    return {name: _over(defaults, values) if values["kind"] == "process" else values for name, values in models.items()}


def _experiments(block, where):
    domains = {}
    for domain, inner in block.items():
        defaults, experiments = _entries(inner, ("experiments", domain), where)
        domains[domain] = {name: _over(defaults, values) for name, values in experiments.items()}
    return domains


def _claims(block, where):
    shared, families = _entries(block, ("claims",), where)
    found = {}
    for family, inner in families.items():
        if family not in FAMILIES:
            raise ConfigError(
                f"claims.{family}: there is no such family of claims; write a claim under one of {', '.join(FAMILIES)}"
                + where(("claims", family))
            )
        defaults, claims = _entries(inner, ("claims", family), where)
        for name, values in claims.items():
            if name in found:
                raise ConfigError(
                    f"claims.{family}.{name}: there is a claim of this name in {found[name]['family']}; give it another"
                    + where(("claims", family, name))
                )
            found[name] = {"family": family} | _of_its_kind({**shared, **defaults}, values)
    return found


def _of_its_kind(defaults, values):
    """A claim with those defaults that claims of its kind have."""
    kind = values.get("kind", defaults.get("kind"))
    known = KINDS[kind].model_fields if kind in KINDS else ()
    return {key: value for key, value in defaults.items() if key in known} | values
