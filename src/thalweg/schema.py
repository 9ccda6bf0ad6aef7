"""What every block of settings is made of: strict keys, quantities with units, and errors that name path, value and mend."""

import json
from datetime import date
from functools import partial
from typing import Annotated

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
    """A configuration that cannot be; the message gives the key's path, its value and what is allowed."""


def validated(model, values, source="settings", where=lambda path: ""):
    """``values`` as ``model``; ConfigError lists every wrong key with its value and what is allowed.

    Args:
        model: subclass of :class:`Settings`.
        values: nested mapping.
        source: of the values, named in errors.
        where: function of a path of keys, text on where it was written.
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
                message = "unknown key; allowed are " + ", ".join(_fields_at(model, problem["loc"][:-1]))
            lines.append(f"  {path}: {message}{given}{where(_keys(problem, message))}")
        raise ConfigError(f"{source}: the configuration is not valid\n" + "\n".join(lines)) from None


def _keys(problem, message):
    """The path of keys that a problem is about; of one between blocks, that with which its message begins."""
    return problem["loc"] or tuple(message.partition(": ")[0].split("."))


def settings_from(model, text):
    """A settings block given to a verb as JSON; ConfigError when it is not valid."""
    return validated(model, json.loads(text))


def _fields_at(model, path):
    for part in path:
        field = model.model_fields.get(str(part))
        candidates = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not models:
            return ["the keys of docs/reference/configuration.md"]
        model = models[0]
    return sorted(model.model_fields)


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
        raise ValueError(f"ends on {last} before it begins on {first}; write [first day, last day]")
    return value


Period = Annotated[
    tuple[date, date],
    AfterValidator(_period),
    PlainSerializer(lambda value: [str(value[0]), str(value[1])]),
]


class Settings(BaseModel):
    """A block of the configuration; unknown keys fail."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
