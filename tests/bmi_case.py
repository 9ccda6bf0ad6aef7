"""A small trained model with domain and configuration, to be run through the Basic Model Interface."""

from pathlib import Path

import yaml

import thalweg
from conftest import make_domain
from thalweg.storage.store import write_netcdf

PERIOD, LATER = ("2000-01-01", "2000-12-31"), ("2001-01-01", "2001-05-14")
SHORT = {"steps": 4, "window": "150 days", "spin_up": "60 days", "validate_every": 2, "components": 2, "hidden": 8}


def trained(domain, model="hbv", seeds=(0, 1), **keys):
    """A model after a few steps of training."""
    table = thalweg.split(domain, "temporal", train=PERIOD, test=LATER, validation_share=0.3)
    short = {name: value for name, value in SHORT.items() if model != "lstm" or name != "components"}
    return thalweg.train(model, domain, table, seeds=seeds, **{**short, **keys})


def write_case(folder, model, domain, **settings):
    """Write model, domain and configuration into a folder; the path of the configuration."""
    folder = Path(folder)
    model.save(folder / "model.safetensors")
    write_netcdf(domain.to_tree(), folder / "domain.nc", {})
    return configure(folder, **settings)


def configure(folder, name="bmi.yaml", **settings):
    """Write a configuration for the model and the domain of a folder; its path."""
    path = Path(folder) / name
    source = {} if "catchments" in settings else {"domain": "domain.nc"}
    path.write_text(yaml.safe_dump({"model": "model.safetensors", **source, **settings}))
    return path


def case(folder, routing="unit_hydrograph", **keys):
    """Model and domain of a folder, and the configuration in it, for a kind of routing."""
    domain = make_domain(geometry=routing == "river")
    keys = {"routing": routing, **keys} if keys.get("model") != "lstm" else keys
    model = trained(domain, **keys)
    return model, domain, write_case(folder, model, domain)
