"""The block ``domains`` of the configuration: where data are from, each domain with the settings of its dataset's reader."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from thalweg import datasets
from thalweg.datasets import settings_of
from thalweg.schema import Settings


def kinds():
    """Names of the package's readers that have settings."""
    files = sorted(Path(datasets.__file__).parent.glob("*.py"))
    return [file.stem for file in files if "\nSETTINGS = " in file.read_text()]


def _with_kind(domains):
    """Mappings of domains, with the kind of those that do not state one: their name, with ``_`` for ``-``."""
    if not isinstance(domains, dict):
        return domains
    return {
        name: {"kind": str(name).replace("-", "_"), **values} if isinstance(values, dict) else values
        for name, values in domains.items()
    }


def _settings(values):
    """A domain's mapping as the settings of its kind."""
    if not isinstance(values, dict):
        return values
    kind = values["kind"]
    if not isinstance(kind, str) or ("." not in kind and kind not in kinds()):
        raise ValueError(
            f"kind {kind!r} is no dataset; name the domain's kind, one of {', '.join(kinds())}, or a package.module of your own"
        )
    model = settings_of(kind)
    unknown = [name for name in values if name not in model.model_fields]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; allowed are {', '.join(sorted(model.model_fields))}")
    return model.model_validate(values)


class _Schema:
    """JSON schema of the block: the settings of every kind of the package, or of one outside it."""

    def __get_pydantic_json_schema__(self, core, handler):
        outside = {"type": "object", "properties": {"kind": {"type": "string", "pattern": r"\."}}, "required": ["kind"]}
        blocks = [settings_of(kind).model_json_schema() for kind in kinds()]
        return {"type": "object", "additionalProperties": {"anyOf": [*blocks, outside]}}


Domains = Annotated[
    dict[str, Annotated[SerializeAsAny[Settings], BeforeValidator(_settings)]], BeforeValidator(_with_kind), _Schema()
]
