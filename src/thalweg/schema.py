"""Base of every block of settings: strict keys, quantities with units, and errors that name path, value and remedy."""

import json
from datetime import date
from functools import partial
from typing import Annotated, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from thalweg.units import parse_quantity


class ConfigError(ValueError):
    """An invalid configuration; the message names the key's path, its value and the allowed values."""


def validated(model, values, source="settings", where=lambda path: ""):
    """``values`` as ``model``; ConfigError lists every wrong key with its value and the allowed values.

    Args:
        model: subclass of :class:`Settings`.
        values: nested mapping.
        source: of the values, named in errors.
        where: function of a path of keys, text on its place in the file.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = ".".join(str(part) for part in problem["loc"]) or "configuration"
            given = "" if isinstance(problem["input"], dict) else f" (given: {problem['input']!r})"
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                message = "unknown key; allowed: " + ", ".join(_fields_at(model, problem["loc"][:-1]))
            lines.append(f"  {path}: {message}{given}{where(_keys(problem, message))}")
        raise ConfigError(f"{source}: the configuration is not valid\n" + "\n".join(lines)) from None


def _keys(problem, message):
    """The path of keys of a problem; for one between blocks, the path at the start of its message."""
    return problem["loc"] or tuple(message.partition(": ")[0].split("."))


def settings_from(model, text):
    """A settings block passed to a verb as JSON; ConfigError if it is invalid."""
    return validated(model, json.loads(text))


def _fields_at(model, path):
    """Names of the keys of the block at a path."""
    annotation = model
    for part in path:
        annotation = _inside(annotation, part)
    return sorted({key for block in _blocks(annotation) for key in block.model_fields})


def _inside(annotation, part):
    """The annotation of one part of an annotated type: an entry, a field, or the block of a kind."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (dict, list):
        return get_args(annotation)[-1]
    blocks = _blocks(annotation)
    fields = [block.model_fields[part].annotation for block in blocks if part in block.model_fields]
    kinds = [block for block in blocks if "kind" in block.model_fields and block.model_fields["kind"].default == part]
    return next(iter(kinds or fields), None)


def _blocks(annotation):
    """The blocks of settings in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [block for one in get_args(annotation) for block in _blocks(one)]


def quantity(unit, minimum=None):
    def check(value):
        if minimum is not None and value < minimum:
            raise ValueError(f"must be at least {minimum:g} {unit}")
        return value

    return Annotated[
        float,
        BeforeValidator(partial(parse_quantity, to=unit)),
        AfterValidator(check),
        PlainSerializer(lambda value: f"{value:.12g} {unit}"),
        WithJsonSchema({"type": "string", "x-unit": unit}),
    ]


Days = quantity("days", 1)
Hours = quantity("hours", 0.25)
Minutes = quantity("minutes", 0)
Area = quantity("km2", 0)
Share = Annotated[float, Field(ge=0, le=1)]
Part = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


def _period(value):
    first, last = value
    if last < first:
        raise ValueError(f"ends on {last} before it starts on {first}; write [first day, last day]")
    return value


Period = Annotated[
    tuple[date, date],
    AfterValidator(_period),
    PlainSerializer(lambda value: [str(value[0]), str(value[1])]),
]


class Settings(BaseModel):
    """A block of the configuration; unknown keys fail."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
