"""The domain: real data in one canonical form.

A domain is a tree of four groups, stored as CF netCDF:

========== ================= =========================================================================
group      dimensions        holds
========== ================= =========================================================================
forcing    time, unit        precipitation, potential_evapotranspiration [mm/day], temperature [degC]
attributes unit              area [km2], latitude, longitude [degree] and whatever describes the land
network    reach; unit       downstream (id, "" at an outlet), ...; unit_reach (unit; "" drains to none)
gauges     gauge; time       drainage_area [km2], reach (id), discharge (gauge, time) [m3/s]
========== ================= =========================================================================

A *unit* is a hydrologic response unit, a grid cell or a lumped catchment. A lumped catchment is a network of one reach.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sparse
import xarray as xr

from thalweg.basin.network import River
from thalweg.units import parse_unit

REQUIRED = {
    "forcing": {"precipitation": "mm/day", "temperature": "degC", "potential_evapotranspiration": "mm/day"},
    "attributes": {"area": "km2", "latitude": "degree", "longitude": "degree"},
    "network": {"downstream": None, "unit_reach": None},
    "gauges": {"drainage_area": "km2", "reach": None, "discharge": "m3/s"},
}

MILLIMETRES_PER_DAY = 86.4  # mm/day over 1 km2 of one m3/s
NEVER_NEGATIVE = {"precipitation", "potential_evapotranspiration", "discharge", "area", "drainage_area"}


class DataError(ValueError):
    """Data that cannot be right; the message names the file or domain, the variable and the first offending value."""


def check_dates(time, source):
    """Raise DataError unless ``time`` increases by one day at every step."""
    time = pd.DatetimeIndex(time)
    steps = np.diff(time.values) / np.timedelta64(1, "D")
    wrong = np.flatnonzero(steps != 1)
    if len(wrong):
        first = wrong[0]
        what = "repeats" if steps[first] == 0 else "goes back" if steps[first] < 0 else "leaves a gap"
        raise DataError(
            f"{source}: variable 'time' {what} after {time[first].date()} (next is {time[first + 1].date()}); "
            "daily series must have every day once, in order: sort it, drop doubles, and fill gaps with NaN"
        )


def check_range(values, name, source, low=None, high=None):
    """Raise DataError naming the first value below ``low`` or above ``high``; NaN passes."""
    values = np.asarray(values)
    for bound, wrong in (
        (low, values < low if low is not None else np.zeros(0, bool)),
        (high, values > high if high is not None else np.zeros(0, bool)),
    ):
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"{source}: variable '{name}' is {values[where]:g} at position {where}; expected "
                f"{'at least' if bound == low else 'at most'} {bound:g}; correct the file or set the value to NaN"
            )


def check_complete(values, name, source):
    """Raise DataError naming the first value that is not finite."""
    values = np.asarray(values)
    if not np.isfinite(values).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise DataError(
            f"{source}: variable '{name}' is {values[where]} at position {where}; it must have no gaps: fill or drop it"
        )


def require(dataset, names, source):
    """Raise DataError naming the first of ``names`` that ``dataset`` (or a table) lacks."""
    for name in names:
        if name not in dataset:
            raise DataError(
                f"{source}: variable '{name}' is missing; there are {', '.join(map(str, list(dataset)[:20]))}"
            )


@dataclass(frozen=True)
class Domain:
    """Forcing, attributes, network and gauges of one place; see the module's table.

    Raises:
        DataError: when a group, variable or unit is missing, dates are out of order, forcing has gaps, a quantity that
            cannot be negative is, or a unit or gauge stands on a reach that is not there.
        NetworkError: when the reaches do not form a river network.
    """

    name: str
    forcing: xr.Dataset
    attributes: xr.Dataset
    network: xr.Dataset
    gauges: xr.Dataset

    def __post_init__(self):
        for group, variables in REQUIRED.items():
            dataset, source = getattr(self, group), f"{self.name}/{group}"
            require(dataset, variables, source)
            for variable, unit in variables.items():
                stated = dataset[variable].attrs.get("units")
                if unit is not None and (stated is None or parse_unit(stated) != parse_unit(unit)):
                    raise DataError(
                        f"{source}: variable '{variable}' has unit '{stated}', expected '{unit}'; convert it with thalweg.units.convert"
                    )
                if variable in NEVER_NEGATIVE:
                    check_range(dataset[variable].values, variable, source, low=0)
        check_dates(self.forcing.time.values, f"{self.name}/forcing")
        check_dates(self.gauges.time.values, f"{self.name}/gauges")
        for variable in self.forcing.data_vars:
            check_complete(self.forcing[variable].values, variable, f"{self.name}/forcing")
        unit_reach = self.network.unit_reach.values.astype(str)
        self.river.positions(unit_reach[unit_reach != ""])
        self.river.positions(self.gauges.reach.values)

    @property
    def river(self):
        """The network's topology."""
        return River(self.network.reach.values, self.network.downstream.values, f"{self.name}/network")

    @property
    def unit_ids(self):
        return self.forcing.unit.values.astype(str)

    @property
    def gauge_ids(self):
        return self.gauges.gauge.values.astype(str)

    @property
    def gauge_reaches(self):
        """Positions of the reaches at or upstream of any gauge."""
        return np.unique(self.river.upstream(self.gauges.reach.values).indices)

    @property
    def gauge_units(self):
        """Which units drain to each gauge: csr_matrix (gauge, unit) of 0 and 1."""
        river = self.river
        unit_reach = self.network.unit_reach.values.astype(str)
        drained = np.flatnonzero(unit_reach != "")
        reaches = river.upstream(self.gauges.reach.values)
        incidence = sparse.csr_matrix(
            (np.ones(len(drained)), (river.positions(unit_reach[drained]), drained)),
            shape=(len(river.reach), len(unit_reach)),
        )
        return (reaches @ incidence).tocsr()

    @property
    def gauge_weights(self):
        """Share of each unit in its gauge's catchment: csr_matrix (gauge, unit), rows sum to 1."""
        area = self.gauge_units.multiply(self.attributes.area.values).tocsr()
        total = np.asarray(area.sum(1)).ravel()
        if (total == 0).any():
            empty = self.gauge_ids[total == 0][0]
            raise DataError(f"{self.name}/gauges: no unit drains to gauge '{empty}'; drop it or correct its reach")
        return sparse.diags(1 / total) @ area

    @property
    def observed(self):
        """Observed discharge as depth over the gauge's stated drainage area: DataArray (gauge, time), mm/day."""
        depth = self.gauges.discharge * MILLIMETRES_PER_DAY / self.gauges.drainage_area
        return depth.assign_attrs(units="mm/day", long_name="observed discharge per drainage area")

    def lumped(self):
        """The same gauges, each as one unit and one reach: area-weighted mean forcing and attributes of its catchment."""
        weights = self.gauge_weights
        ids = self.gauge_ids
        forcing = xr.Dataset(
            {name: (("time", "unit"), v.values @ weights.T, v.attrs) for name, v in self.forcing.data_vars.items()},
            coords={"time": self.forcing.time, "unit": ids},
        )
        attributes = xr.Dataset(
            {name: (("unit",), weights @ v.values, v.attrs) for name, v in self.attributes.data_vars.items()},
            coords={"unit": ids},
        )
        attributes["area"] = ("unit", self.gauges.drainage_area.values, self.attributes.area.attrs)
        network = xr.Dataset(
            {"downstream": ("reach", [""] * len(ids)), "unit_reach": ("unit", ids)},
            coords={"reach": ids, "unit": ids},
        )
        gauges = self.gauges.assign(reach=("gauge", ids))
        return Domain(self.name, forcing, attributes, network, gauges)

    def to_tree(self):
        """The domain as an xarray DataTree, ready to be written."""
        tree = xr.DataTree(name=self.name)
        tree.attrs["domain"] = self.name
        for group in REQUIRED:
            tree[group] = xr.DataTree(getattr(self, group))
        return tree


def read_domain(path):
    """Read a domain written by :func:`thalweg.storage.store.write_netcdf` of :meth:`Domain.to_tree`."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        missing = [group for group in REQUIRED if group not in tree.children]
        if missing:
            raise DataError(f"{path}: group '{missing[0]}' is missing; a domain has {', '.join(REQUIRED)}")
        groups = {group: tree[group].to_dataset().load() for group in REQUIRED}
        return Domain(tree.attrs.get("domain", str(path)), **groups)
