"""What the keys of the configuration are, for editors and for readers: a JSON schema of study files, and a page of all keys.

Both are written from :class:`~thalweg.settings.study.Study` and the settings of datasets and splits.
"""

import json

from thalweg.datasets import settings_of
from thalweg.metrics.scores import METRICS
from thalweg.registry import load
from thalweg.registry import names as names_of
from thalweg.settings.blocks import (
    ClimatologyModel,
    EnsembleModel,
    Experiment,
    ProcessModel,
    SequenceModel,
    Training,
)
from thalweg.settings.canopy import CanopyStudy, DavosSettings
from thalweg.settings.claims import FAMILIES, KINDS, ClaimSettings
from thalweg.settings.domains import kinds
from thalweg.settings.leaf import LeafStudy
from thalweg.settings.study import Evaluation, Study
from thalweg.settings.twin import TwinPriorsStudy

SCHEMA = "workflow/schemas/config.schema.json"
PAGE = "docs/reference/configuration.md"
NULL = {"type": "null"}
MODELS = (ProcessModel, SequenceModel, ClimatologyModel, EnsembleModel)
NAMED = {  # key -> names that the package has for it
    "process": lambda: names_of("process"),
    "priors": lambda: names_of("process"),
    "loss": lambda: names_of("loss"),
    **dict.fromkeys(("metrics", "compared", "sample_metrics", "sample_compared", "metric"), lambda: list(METRICS)),
}


def schema_text():
    """The JSON schema of config.yaml and of a study's file, as text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def schema():
    """The JSON schema of config.yaml and of a study's file: no key is required, since a file lies over others."""
    whole = Study.model_json_schema()
    definitions = whole["$defs"]
    definitions["Experiment"]["properties"] |= _options()
    definitions["Experiment"]["properties"]["kind"] |= _one_of(names_of("split"))
    for name in ("ProcessModel", "SequenceModel", "Experiment"):
        _override(definitions[name])
    for kind in KINDS.values():
        del definitions[kind.__name__]["properties"]["family"]
    models = [_ref(model) for model in MODELS]
    claims = [_ref(kind) for kind in KINDS.values()]
    experiments = _entries([_ref(Experiment)], _ref(Experiment))
    families = {"defaults": {"anyOf": claims}} | {name: _entries(claims, {"anyOf": claims}) for name in FAMILIES}
    properties = whole["properties"]
    properties["models"] |= _entries(models, _ref(ProcessModel))
    properties["experiments"]["additionalProperties"] = {"anyOf": [experiments, NULL]}
    properties["claims"] |= {"properties": families, "additionalProperties": False}
    properties["domains"]["additionalProperties"]["anyOf"].append(NULL)
    properties["extends"] = {"type": "string", "description": "name of the study over which this one lies"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "thalweg", **_partial(whole)}


def _ref(model):
    return {"$ref": f"#/$defs/{model.__name__}"}


def _one_of(names):
    """A name that the package has, or one of something outside it."""
    return {"anyOf": [{"enum": list(names)}, {"type": "string", "pattern": r"[.:]"}]}


def _entries(entry, defaults):
    """A mapping of names to entries, which null removes, with the defaults of all of them."""
    return {
        "type": "object",
        "properties": {"defaults": defaults},
        "additionalProperties": {"anyOf": [*entry, NULL]},
    }


def _options():
    """Schema of the keys that the package's kinds of splits read."""
    found = {}
    for name in names_of("split"):
        for key, value in load("split", name).options.model_json_schema().get("properties", {}).items():
            found[key] = value | {"description": f"{value.get('description', '')} (kind {name})".strip()}
    return found


def _override(definition):
    """Let a block's overrides of training have the keys of training."""
    training = definition["properties"]["training"]
    definition["properties"]["training"] = {**_ref(Training), "description": training["description"]}


def _partial(node):
    """A schema in which no key is required, without titles and defaults that are blocks; quantities state their unit."""
    if isinstance(node, list):
        return [_partial(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = dict(node)
    if node.get("additionalProperties") is False:
        node.pop("required", None)
    if isinstance(node.get("title"), str):
        del node["title"]
    if isinstance(node.get("default"), dict):
        del node["default"]
    if "x-unit" in node:
        node["description"] = f"{node.get('description', '')} (with a unit, such as {node['x-unit']})".strip()
    if "properties" in node:
        node["properties"] = {key: _partial(_named(key, value)) for key, value in node["properties"].items()}
    return {key: value if key in ("properties", "default") else _partial(value) for key, value in node.items()}


def _named(key, value):
    """The schema of a key with the names that the package has for it."""
    if key not in NAMED or value.get("type") not in ("string", "array"):
        return value
    if value.get("type") == "array":
        return value | {"items": _one_of(NAMED[key]())}
    return {name: part for name, part in value.items() if name != "type"} | _one_of(NAMED[key]())


# The page

INTRODUCTION = """# Configuration

Every key of the configuration, with its type or unit, its default and its meaning.

## Files

`config/config.yaml` holds defaults: how models are trained and evaluated, and a library of models. A study is a file
`config/studies/NAME.yaml`, which states its domains, its experiments, its claims, and what differs from the defaults.
`make study STUDY=NAME` runs it; `thalweg config show NAME` prints the settings that result, and `thalweg config check` reads all
studies.

- **Layers.** A study lies over `config.yaml`. With `extends: OTHER` it lies over the study OTHER, which lies over `config.yaml`.
  Keys of the command line, as in `snakemake --config study=NAME "training={steps: 50}"`, lie over all of them. Mappings are merged key by
  key; all other values are replaced.
- **Removal.** A domain, model, experiment or claim of a lower layer is removed by `null`.
- **Defaults of a block.** In `models`, `defaults` holds keys of all models with a process; in `experiments`, the key `defaults` of a domain
  holds keys of all its experiments; in `claims`, `defaults` holds keys of all claims, and the key `defaults` of a family
  holds keys of its claims. What a model, experiment or claim states itself wins, in whichever layer it stands.
- **Models.** A study runs the models that its experiments name; other models of the library are left out.
- **Units.** Quantities are written with a unit, as in `365 days`, `6 hours` or `50 km2`; any unit of the dimension is converted.
- **Editors.** The first line of each file names the schema `workflow/schemas/config.schema.json`, with which editors with a YAML language
  server complete and explain keys.

This page and the schema are written by `thalweg config docs`.
"""


def page():
    """The page of all keys, as Markdown."""
    parts = [
        INTRODUCTION,
        _section("Study", Study, "Keys at the top of a file."),
        EXTENDS,
        _section("training", Training),
    ]
    parts += ["## models\n\nModels by name.\n"]
    parts += [_section(f"kind: {_kind(model)}", model, level=3) for model in MODELS]
    parts += [
        "## experiments\n\nExperiments by domain and name: `experiments: {DOMAIN: {NAME: {...}}}`.\n",
        _table(Experiment),
        *[_split(name) for name in names_of("split")],
        _section("evaluation", Evaluation),
        "## domains\n\nDatasets by name of the domain. `kind` names the reader; by default it is the name of the domain.\n",
        *[_section(f"kind: {kind}", settings_of(kind), level=3) for kind in kinds()],
        f"## claims\n\nClaims by family and name: `claims: {{FAMILY: {{NAME: {{...}}}}}}`. Families: {', '.join(FAMILIES)}.\n",
        _table(ClaimSettings, without=["family"]),
        *[
            _section(f"kind: {kind}", model, level=3, without=ClaimSettings.model_fields)
            for kind, model in KINDS.items()
        ],
        _section("twin_priors", TwinPriorsStudy),
        _section("leaf", LeafStudy),
        _section("canopy", CanopyStudy),
        _section("canopy: data", DavosSettings, level=3),
    ]
    return "\n".join(part for part in parts if part)


BLOCKS = ("training", "models", "experiments", "evaluation", "domains", "claims", "twin_priors", "leaf", "canopy")
EXTENDS = "A study's file may also have `extends`, the name of the study over which it lies.\n"


def _kind(model):
    return model.model_fields["kind"].default


def _section(title, model, text=None, level=2, without=()):
    text = text or (model.__doc__ or "").strip()
    return "\n".join([f"{'#' * level} {title}", "", text, "", _table(model, without)])


def _split(name):
    """The keys that a kind of split reads; empty where it reads none."""
    options = load("split", name).options
    return _section(f"kind: {name}", options, "Keys of this kind of split.", 3) if options.model_fields else ""


def _table(model, without=()):
    """A Markdown table with a row for each key of a block; those of a study lead to the section of their block."""
    linked = {key: f"[`{key}`](#{key})" for key in BLOCKS} if model is Study else {}
    properties = model.model_json_schema()["properties"]
    needed = {name for name, field in model.model_fields.items() if field.is_required()}
    lines = ["| key | type, unit | default | meaning |", "|---|---|---|---|"]
    for key, value in properties.items():
        if key in without:
            continue
        default = "required" if key in needed else _default(value.get("default", {}))
        text = value.get("description") or ("kind of the entry" if key == "kind" else "")
        cells = (linked.get(key, f"`{key}`"), _type(value), default, text)
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _default(value):
    if isinstance(value, dict) and value:
        return "those of the block"
    return f"`{json.dumps(value, ensure_ascii=False)}`".replace('"', "") if value != "" else "none"


def _type(value):
    """The type of a key in words, from its JSON schema."""
    if "x-unit" in value:
        return f"quantity, {value['x-unit']}"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{json.dumps(one)}`".replace('"', "") for one in value["enum"])
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_type(one) for one in value["anyOf"]))
    if "$ref" in value or "oneOf" in value:
        return "block"
    kind = value.get("type", "any")
    if kind == "array":
        if "prefixItems" in value:
            return f"[{', '.join(_type(one) for one in value['prefixItems'])}]"
        return f"list of {_type(value.get('items', {}))}"
    words = {"string": "text", "object": "mapping", "boolean": "`true`, `false`", "null": "`null`"}
    return (value.get("format") or words.get(kind, kind)) + _limits(value)


def _limits(value):
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {value[name]:g}" for name, sign in signs.items() if name in value]
    return " " + ", ".join(limits) if limits else ""
