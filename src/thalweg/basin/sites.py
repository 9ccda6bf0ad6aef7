"""Sites: places where something is sampled, and what drives it there.

A tree of three or four groups, stored as CF netCDF:

========== =========== ==============================================================================================
group      dimensions  holds
========== =========== ==============================================================================================
forcing    time, site  what drives the process, without gaps: air_temperature [degC], discharge [m3/s], ...
attributes site        numbers that describe the place (inputs of networks), latitude, longitude, labels
samples    time, site  what was measured, NaN where nothing was: water_temperature [degC], nitrate [mg/l], ...;
                       ``<name>_censored`` is 1 where a sample is below the detection limit that stands in its place
network    site        downstream (id, "" where there is none), length [m] to it; only where sites stand on one river
========== =========== ==============================================================================================

The series are daily. For leaves, a site is a curve, and ``point``, its measurements in order, takes the place of ``time``.

A process has parameters; those that the attributes hold under the same name (and unit) are known, the others are
learned. Attributes whose attrs hold ``role: label`` (strings: species, genotype) or ``role: reference`` (published
results to compare with) are never inputs of a network; nor are latitude and longitude.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from thalweg.basin.domain import DataError, check_complete, check_dates, require
from thalweg.basin.network import River
from thalweg.units import UnitError, parse_unit

PLACE = ("latitude", "longitude")
CENSORED = "_censored"


@dataclass(frozen=True)
class Sites:
    """Forcing, attributes, samples and, where there is one, the network of sites; see the module's table.

    Raises:
        DataError: when a site is there twice, groups do not share their sites and times, a unit is missing, dates are out of
            order, forcing or an attribute has gaps, a variable has no sample at all, a flag stands without its sample, or
            sites of the network are not those of the forcing.
        UnitError: when pint does not know a unit.
        NetworkError: when the sites do not form a river network, or a length is not above 0.
    """

    name: str
    forcing: xr.Dataset
    attributes: xr.Dataset
    samples: xr.Dataset
    network: xr.Dataset | None = None

    def __post_init__(self):
        names, counts = np.unique(self.forcing.site.values.astype(str), return_counts=True)
        if (counts > 1).any():
            raise DataError(
                f"{self.name}/forcing: site '{names[counts > 1][0]}' is there twice; site ids must be unique"
            )
        for group in ("forcing", "samples"):
            dataset, source = getattr(self, group), f"{self.name}/{group}"
            for name, variable in dataset.data_vars.items():
                if variable.dims != (self.axis, "site"):
                    raise DataError(
                        f"{source}: variable '{name}' has dimensions {variable.dims}, expected {(self.axis, 'site')}"
                    )
                if not name.endswith(CENSORED):
                    _known_unit(variable, name, source)
            if not dataset.site.equals(self.forcing.site) or not dataset[self.axis].equals(self.forcing[self.axis]):
                raise DataError(f"{source}: its sites or times are not those of the forcing; reindex it to them")
        if self.axis == "time":
            check_dates(self.forcing.time.values, f"{self.name}/forcing")
        for name, variable in self.forcing.data_vars.items():
            check_complete(variable.values, name, f"{self.name}/forcing")
        if not np.array_equal(self.attributes.site.values, self.forcing.site.values):
            raise DataError(f"{self.name}/attributes: its sites are not those of the forcing; reindex it to them")
        for name, variable in self.attributes.data_vars.items():
            if variable.attrs.get("role") is None:
                _known_unit(variable, name, f"{self.name}/attributes")
                check_complete(variable.values, name, f"{self.name}/attributes")
        for name in self.variables:
            if not self.samples[name].notnull().any():
                raise DataError(f"{self.name}/samples: variable '{name}' has no sample; leave it out")
            alone = self.censored(name) & np.isnan(self.samples[name].values)
            if alone.any():
                first = tuple(int(i) for i in np.argwhere(alone)[0])
                raise DataError(
                    f"{self.name}/samples: '{name}{CENSORED}' is set at position {first}, where '{name}' has no value; "
                    "the value is the detection limit"
                )
        if self.network is not None:
            self._check_network()

    def _check_network(self):
        source = f"{self.name}/network"
        require(self.network, ["downstream", "length"], source)
        _known_unit(self.network.length, "length", source)
        if not np.array_equal(self.network.site.values, self.forcing.site.values):
            raise DataError(f"{source}: its sites are not those of the forcing; reindex it to them")
        river = self.river
        river.require_positive("length", np.where(river.downstream < 0, 1.0, self.network.length.values))

    @property
    def axis(self):
        """The dimension along which a process marches: ``time`` or ``point``."""
        return next(iter(self.forcing.data_vars.values())).dims[0]

    @property
    def site_ids(self):
        return self.forcing.site.values.astype(str)

    @property
    def variables(self):
        """Names of what was sampled."""
        return [name for name in self.samples.data_vars if not name.endswith(CENSORED)]

    @property
    def inputs(self):
        """Names of the attributes that networks may see."""
        return [n for n, v in self.attributes.data_vars.items() if v.attrs.get("role") is None and n not in PLACE]

    @property
    def river(self):
        """The network of sites as a :class:`~thalweg.basin.network.River`."""
        return River(self.site_ids, self.network.downstream.values, f"{self.name}/network")

    def censored(self, name):
        """Where samples of a variable stand for "below this value": bool array (time, site)."""
        flag = self.samples.get(name + CENSORED)
        return np.zeros(self.samples[name].shape, bool) if flag is None else flag.values > 0

    def to_tree(self):
        """The sites as an xarray DataTree, ready to be written."""
        tree = xr.DataTree(name=self.name)
        tree.attrs["domain"] = self.name
        for group in ("forcing", "attributes", "samples", "network"):
            if getattr(self, group) is not None:
                tree[group] = xr.DataTree(getattr(self, group))
        return tree


def _known_unit(variable, name, source):
    if variable.attrs.get("units") is None:
        raise DataError(f"{source}: variable '{name}' states no unit; set attrs['units']")
    try:
        parse_unit(variable.attrs["units"])
    except UnitError as error:
        raise UnitError(f"{source}: variable '{name}': {error}") from error


def read_sites(path):
    """Read what :func:`thalweg.storage.store.write_netcdf` wrote of :meth:`Sites.to_tree`."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        missing = [group for group in ("forcing", "attributes", "samples") if group not in tree.children]
        if missing:
            raise DataError(f"{path}: group '{missing[0]}' is missing; it has {', '.join(tree.children)}")
        groups = {name: node.to_dataset().load() for name, node in tree.children.items()}
        return Sites(tree.attrs.get("domain", str(path)), **groups)
