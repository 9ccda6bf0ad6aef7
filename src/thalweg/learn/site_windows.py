"""What models of sites are given: forcing, attributes and known parameters as tensors, cut into windows of days."""

import numpy as np
import torch

from thalweg.learn.windows import Series
from thalweg.units import parse_unit


def known_parameters(process, sites):
    """Names of the process's parameters that the attributes of the sites hold, under the same name and in the same unit.

    Raises:
        ValueError: when an attribute has a parameter's name but another unit.
    """
    known = []
    for parameter in process.parameters:
        if parameter.name in sites.attributes and sites.attributes[parameter.name].attrs.get("role") is None:
            stated = sites.attributes[parameter.name].attrs["units"]
            if parse_unit(stated) != parse_unit(parameter.unit):
                raise ValueError(
                    f"{sites.name}/attributes: '{parameter.name}' has unit '{stated}', but process {process.name} wants "
                    f"'{parameter.unit}'; convert it with thalweg.units.convert, or rename it so that it is learned"
                )
            known.append(parameter.name)
    return tuple(known)


class AtSites:
    """Stands where gauges have a drainage: what is simulated at a site is what is sampled there."""

    @staticmethod
    def mean(values):
        return values


class SiteSeries(Series):
    """Sites' forcing and attributes as tensors, for chosen sites.

    Args:
        sites: :class:`~thalweg.basin.sites.Sites`.
        scaling: the :class:`~thalweg.learn.scaling.Scaling` of the training sites.
        chosen: positions of the sites; None takes all.
        process: the process that will be marched, whose known parameters are needed; None for a model without one.
        dtype, device: of the tensors.
    """

    def __init__(self, sites, scaling, chosen=None, process=None, dtype=torch.float32, device="cpu"):
        chosen = np.arange(len(sites.site_ids)) if chosen is None else np.asarray(chosen)

        def tensor(array):
            return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        names = () if process is None else process.forcing_names
        missing = [name for name in names if name not in sites.forcing]
        if missing:
            raise ValueError(
                f"{sites.name}/forcing: process {process.name} needs '{missing[0]}'; there are "
                f"{', '.join(sites.forcing.data_vars)}: add it, or choose another process"
            )
        self.forcing = {name: tensor(sites.forcing[name].values[:, chosen]) for name in names}
        self.sequence = tensor(scaling.forcing_inputs(sites)[:, chosen])
        self.attributes = tensor(scaling.attribute_inputs(sites)[chosen])
        self.days = self.sequence.shape[0]
        self.drainage = AtSites()
        if process is not None:
            known = known_parameters(process, sites)
            self.known = {name: tensor(sites.attributes[name].values[chosen].astype(float)) for name in known}

    def window_of(self, gauges, first, last, spin_up):
        """A window of some sites only: no site needs another."""
        return self.window(first, last, spin_up, gauges), slice(None)
