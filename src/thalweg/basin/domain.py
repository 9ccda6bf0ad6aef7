"""The domain: real data in one canonical form.

A domain is a tree of up to five groups, stored as CF netCDF:

========== ============ ======================================================================================================
group      dimensions   holds
========== ============ ======================================================================================================
forcing    time, unit   drivers of a process, without gaps: precipitation [mm/day], temperature [degC], discharge [m3/s], ...
attributes unit         numbers that describe the land or the water: area [km2], latitude, longitude [degree], ...
network    reach; unit  downstream (id, "" at an outlet), length, slope, ...; unit_reach (unit; "" drains to none). Optional
places     place        location of observations: unit and reach (id, "" for none), latitude, longitude, region, name,
                        drainage_area [km2]
observed   time, place  any number of variables, NaN where not measured: discharge [m3/s], water_temperature [degC],
                        nitrate [mg/l], ...; ``<name>_censored`` is 1 where the value is a detection limit that the
                        measurement fell below
========== ============ ======================================================================================================

A *unit* is a hydrologic response unit, a grid cell, a lumped catchment, or a sampled stretch of river. A lumped catchment is
a network of one reach. A *place* is a location of observations: a gauge is a place where discharge is observed. The flux
with which a variable is compared, and how it is gathered from the units, is defined once, in
:mod:`thalweg.basin.observables`.

The time step (hour, day or month) is a property of the domain; depths of water are per step: mm/hour, mm/day, mm/month. For
leaves a unit is a curve, and ``point``, its measurements in order, replaces ``time``.

A process has parameters; those with an attribute of the same name and unit are known, the others are learned.
Attributes whose attrs hold ``role: label`` (strings: species, river) or ``role: reference`` (published results to compare with)
are never inputs of a network; nor are latitude and longitude.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sparse
import xarray as xr

from thalweg.basin.network import River
from thalweg.units import UnitError, parse_unit

GROUPS = ("forcing", "attributes", "network", "places", "observed")
WATER = ("precipitation", "potential_evapotranspiration")  # depths per step
POSITION = ("latitude", "longitude")
CENSORED = "_censored"
MILLIMETRES_PER_DAY = 86.4  # mm/day over 1 km2 of one m3/s
STEPS = {"hour": 1 / 24, "day": 1.0, "month": 30.4375}  # days; of a month the mean
FINITE = np.finfo(np.float64).max  # observations may be missing, but not infinite
NEVER_NEGATIVE = {"precipitation", "potential_evapotranspiration", "discharge", "area", "drainage_area"}


class DataError(ValueError):
    """Invalid data; the message names the file or domain, the variable and the first offending value."""


def step_of(time):
    """The step of a series: ``"hour"``, ``"day"`` or ``"month"`` (every first of a month); otherwise a number of days as text.

    Where steps differ, it is the most frequent one, or a day if none prevails.
    """
    time = pd.DatetimeIndex(time)
    if len(time) < 2:
        return "day"
    every = np.diff(time.values) / np.timedelta64(1, "D")
    if (time.day == 1).all() and np.median(every) >= 28:
        return "month"
    steps, count = np.unique(every, return_counts=True)
    step = steps[count.argmax()]
    if step <= 0 or 2 * count.max() <= len(every):
        return "day"
    return next((name for name, days in STEPS.items() if abs(step - days) < 1e-9), f"{step:.12g} days")


def days_of(step):
    """Length of a step (:func:`step_of`) in days; of a month the mean."""
    return STEPS.get(step) or float(step.split()[0])


def check_dates(time, source, step="day"):
    """Raise DataError unless ``time`` increases by a step every time.

    Args:
        time: of a series.
        source: file or domain, for the message.
        step: ``"day"``, as expected by readers of daily files; if None, any step.
    """
    time = pd.DatetimeIndex(time)
    found = step_of(time)
    if step is not None and found != step and len(time) > 2:
        what = f"a {found}" if found in STEPS else found
        raise DataError(
            f"{source}: variable 'time' has steps of {what}, expected a {step}; use a series with a step of one {step}"
        )
    step = step or found
    if step == "month":
        steps, expected = np.diff(time.year * 12 + time.month), 1
    else:
        steps, expected = np.diff(time.values) / np.timedelta64(1, "D"), days_of(step)
    wrong = np.flatnonzero(np.abs(steps - expected) > 1e-9)
    if len(wrong):
        first = wrong[0]
        what = "repeats" if steps[first] == 0 else "goes back" if steps[first] < 0 else "leaves a gap"
        here, after = (str(one.date()) if step in ("day", "month") else str(one) for one in time[first : first + 2])
        series = {"day": "daily", "hour": "hourly", "month": "monthly"}.get(step, "regular")
        raise DataError(
            f"{source}: variable 'time' {what} after {here} (next is {after}); "
            f"{series} series must have every {step if step in STEPS else 'step'} once, in order: sort it, drop duplicates, "
            "and add the steps that are missing (observations may be empty there, forcing may not)"
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
                f"{source}: variable '{name}' is missing; available: {', '.join(map(str, list(dataset)[:20]))}"
            )


@dataclass(frozen=True)
class Domain:
    """Forcing, attributes, network, places and observations there; see the module's table.

    Raises:
        DataError: if a variable or unit is missing, an id appears twice, dates are out of order, forcing or an attribute
            has gaps, a quantity that cannot be negative is, groups do not share their units, places and times, a flag has
            no value, or a unit or place is on a missing reach.
        UnitError: if pint does not know a unit.
        NetworkError: if the reaches do not form a river network.
    """

    name: str
    forcing: xr.Dataset
    attributes: xr.Dataset
    network: xr.Dataset | None
    places: xr.Dataset
    observed: xr.Dataset

    def __post_init__(self):
        for group, dimension in (("forcing", "unit"), ("places", "place")):
            names, counts = np.unique(getattr(self, group)[dimension].values.astype(str), return_counts=True)
            if (counts > 1).any():
                raise DataError(
                    f"{self.name}/{group}: {dimension} '{names[counts > 1][0]}' appears twice; ids must be unique"
                )
        if self.axis == "time":
            check_dates(self.forcing.time.values, f"{self.name}/forcing", step=None)
        self._check_variables()
        self._check_observations()
        if "discharge" in self.observed:
            self._check_catchments()
        self._check_network()

    def _check_variables(self):
        for group, dimensions in (
            ("forcing", (self.axis, "unit")),
            ("attributes", ("unit",)),
            ("observed", (self.axis, "place")),
        ):
            dataset, source = getattr(self, group), f"{self.name}/{group}"
            for dimension in dimensions:
                other = self.places if dimension == "place" else self.forcing
                if not np.array_equal(dataset[dimension].values, other[dimension].values):
                    raise DataError(
                        f"{source}: its {dimension}s are not those of the "
                        f"{'places' if dimension == 'place' else 'forcing'}; reindex it to them"
                    )
            for name, variable in dataset.data_vars.items():
                if variable.attrs.get("role") is not None or name.endswith(CENSORED):
                    continue
                if variable.dims != dimensions:
                    raise DataError(
                        f"{source}: variable '{name}' has dimensions {variable.dims}, expected {dimensions}"
                    )
                known_unit(variable, name, source)
                if name in NEVER_NEGATIVE:
                    check_range(variable.values, name, source, low=0)
                if group == "observed":
                    check_range(variable.values, name, source, -FINITE, FINITE)
                else:
                    check_complete(variable.values, name, source)
        if self.axis == "time" and any(name in self.forcing for name in WATER):
            if self.step not in STEPS:
                raise DataError(
                    f"{self.name}/forcing: a step is {self.step}; depths of water are per hour, day or month: use one of these"
                )
            expected_units(self.forcing, dict.fromkeys(WATER, f"mm/{self.step}"), f"{self.name}/forcing")
        expected_units(self.attributes, {"area": "km2", **dict.fromkeys(POSITION, "degree")}, f"{self.name}/attributes")

    def _check_observations(self):
        expected_units(
            self.places, {"drainage_area": "km2", **dict.fromkeys(POSITION, "degree")}, f"{self.name}/places"
        )
        expected_units(self.observed, {"discharge": "m3/s"}, f"{self.name}/observed")
        for name in self.variables:
            if not self.observed[name].notnull().any():
                raise DataError(f"{self.name}/observed: variable '{name}' has no values; omit it")
            alone = self.censored(name) & np.isnan(self.observed[name].values)
            if alone.any():
                first = tuple(int(i) for i in np.argwhere(alone)[0])
                raise DataError(
                    f"{self.name}/observed: '{name}{CENSORED}' is set at position {first}, where '{name}' has no value; "
                    "the value is the detection limit"
                )

    def _check_catchments(self):
        require(self.forcing, WATER, f"{self.name}/forcing")
        expected_units(self.forcing, {"temperature": "degC"}, f"{self.name}/forcing")
        require(self.attributes, ["area", *POSITION], f"{self.name}/attributes")
        require(self.places, ["drainage_area"], f"{self.name}/places")
        check_range(self.places.drainage_area.values, "drainage_area", f"{self.name}/places", low=0)

    def _check_network(self):
        require(self.places, ["unit"] if self.network is None else ["reach"], f"{self.name}/places")
        if "unit" in self.places:
            unknown = set(self.places.unit.values.astype(str)) - set(self.unit_ids) - {""}
            if unknown:
                raise DataError(f"{self.name}/places: unit '{min(unknown)}' is not in the forcing; correct the place")
        if self.network is None:
            return
        source = f"{self.name}/network"
        require(self.network, ["downstream", "unit_reach"], source)
        if not np.array_equal(self.network.unit.values.astype(str), self.unit_ids):
            raise DataError(f"{source}: its units are not those of the forcing; reindex it to them")
        unit_reach, river = self.network.unit_reach.values.astype(str), self.river
        river.positions(unit_reach[unit_reach != ""])
        reach = self.places.reach.values.astype(str)
        river.positions(reach[reach != ""])
        if "length" in self.network:
            known_unit(self.network.length, "length", source)
            length = self.network.length.values
            river.require_positive("length", np.where((river.downstream < 0) & np.isnan(length), 1.0, length))

    @property
    def axis(self):
        """The dimension along which a process marches: ``time`` or ``point``."""
        return next(iter(self.forcing.data_vars.values())).dims[0]

    @property
    def step(self):
        """The time step: ``"hour"``, ``"day"``, ``"month"``, or a number of days as text."""
        return step_of(self.forcing.time.values) if self.axis == "time" else "point"

    @property
    def step_days(self):
        """Length of a step in days; of a month the mean."""
        return 1.0 if self.step == "point" else days_of(self.step)

    @property
    def river(self):
        """The network's topology."""
        return River(self.network.reach.values, self.network.downstream.values, f"{self.name}/network")

    @property
    def unit_ids(self):
        return self.forcing.unit.values.astype(str)

    @property
    def place_ids(self):
        return self.places.place.values.astype(str)

    @property
    def variables(self):
        """Names of the observed variables."""
        return [name for name in self.observed.data_vars if not name.endswith(CENSORED)]

    @property
    def inputs(self):
        """Names of the attributes that may be inputs of networks."""
        return [n for n, v in self.attributes.data_vars.items() if v.attrs.get("role") is None and n not in POSITION]

    def censored(self, name):
        """Where observations of a variable are detection limits: bool array (time, place)."""
        flag = self.observed.get(name + CENSORED)
        return np.zeros(self.observed[name].shape, bool) if flag is None else flag.values > 0

    @property
    def place_units(self):
        """Position of the unit that each place is in, array (place,); -1 if it is in none."""
        if "unit" not in self.places:
            return np.full(len(self.places.place), -1)
        position = {name: i for i, name in enumerate(self.unit_ids)}
        return np.array([position.get(name, -1) for name in self.places.unit.values.astype(str)], dtype=int)

    @property
    def place_reaches(self):
        """Positions of the reaches at or upstream of any place."""
        reach = self.places.reach.values.astype(str)
        return np.unique(self.river.upstream(reach[reach != ""]).indices)

    @property
    def catchment_units(self):
        """Which units drain to each place: csr_matrix (place, unit) of 0 and 1. Without a reach it is the place's own unit."""
        shape = (len(self.places.place), len(self.unit_ids))
        own = self.place_units
        if self.network is None:
            there = np.flatnonzero(own >= 0)
            return sparse.csr_matrix((np.ones(len(there)), (there, own[there])), shape=shape)
        river = self.river
        unit_reach = self.network.unit_reach.values.astype(str)
        drained = np.flatnonzero(unit_reach != "")
        incidence = sparse.csr_matrix(
            (np.ones(len(drained)), (river.positions(unit_reach[drained]), drained)),
            shape=(len(river.reach), len(unit_reach)),
        )
        reach = self.places.reach.values.astype(str)
        if (reach != "").all():
            return (river.upstream(reach) @ incidence).tocsr()
        rows, columns = (river.upstream(reach[reach != ""]) @ incidence).nonzero()
        there = np.flatnonzero((reach == "") & (own >= 0))
        rows = np.concatenate([np.flatnonzero(reach != "")[rows], there])
        columns = np.concatenate([columns, own[there]])
        return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)

    @property
    def catchment_weights(self):
        """Share of each unit in the catchment of each place: csr_matrix (place, unit), rows sum to 1.

        Units without an area are weighted equally.
        """
        units = self.catchment_units
        if "area" in self.attributes:
            units = units.multiply(self.attributes.area.values).tocsr()
        total = np.asarray(units.sum(1)).ravel()
        if (total == 0).any():
            empty = self.place_ids[total == 0][0]
            raise DataError(f"{self.name}/places: no unit drains to place '{empty}'; drop it or correct its reach")
        return sparse.diags(1 / total) @ units

    @property
    def millimetres_per_step(self):
        """Depth per step over 1 km2 of one m3/s: a number, or for months an array (time,)."""
        if self.step == "month":
            return MILLIMETRES_PER_DAY * pd.DatetimeIndex(self.forcing.time.values).days_in_month.to_numpy(float)
        return MILLIMETRES_PER_DAY * self.step_days

    @property
    def observed_runoff(self):
        """Observed discharge as depth over each place's stated drainage area: DataArray (place, time), mm per step."""
        discharge = self.observed.discharge.transpose("place", "time")
        discharge = discharge.copy(data=np.ascontiguousarray(discharge.values))
        depth = discharge * self.millimetres_per_step / self.places.drainage_area
        return depth.assign_attrs(units=f"mm/{self.step}", long_name="observed discharge per drainage area")

    def lumped(self):
        """The same places, each as one unit and one reach: area-weighted mean forcing and attributes of its catchment.

        Labels are left out: they have no mean.
        """
        weights = self.catchment_weights
        ids = self.place_ids
        forcing = xr.Dataset(
            {name: (("time", "unit"), v.values @ weights.T, v.attrs) for name, v in self.forcing.data_vars.items()},
            coords={"time": self.forcing.time, "unit": ids},
        )
        attributes = xr.Dataset(
            {
                name: (("unit",), weights @ v.values, v.attrs)
                for name, v in self.attributes.data_vars.items()
                if v.attrs.get("role") != "label"
            },
            coords={"unit": ids},
        )
        area = self.places.drainage_area.values
        area = np.where(np.isnan(area), self.catchment_units @ self.attributes.area.values, area)
        attributes["area"] = ("unit", area, self.attributes.area.attrs)
        network = xr.Dataset(
            {"downstream": ("reach", [""] * len(ids)), "unit_reach": ("unit", ids)},
            coords={"reach": ids, "unit": ids},
        )
        places = self.places.assign(reach=("place", ids), unit=("place", ids))
        return Domain(self.name, forcing, attributes, network, places, self.observed)

    def with_forcing(self, forcing):
        """The domain with additional forcing, over the times that both have.

        Args:
            forcing: Dataset (time, unit) with a unit for each variable, of all units of the domain; a variable that already
                exists is replaced.

        Raises:
            DataError: if a unit is missing or no time is common.
        """
        missing = set(self.unit_ids) - set(forcing.unit.values.astype(str))
        if missing:
            raise DataError(
                f"{self.name}/forcing: additional forcing lacks unit '{min(missing)}'; its units must have the domain's ids"
            )
        time = np.intersect1d(self.forcing.time.values, forcing.time.values)
        if not len(time):
            raise DataError(
                f"{self.name}/forcing: additional forcing has no time step of the domain; use one with the same dates"
            )
        more = forcing.sel(time=time, unit=self.unit_ids).transpose("time", "unit")
        return replace(
            self,
            forcing=self.forcing.sel(time=time).assign({name: v.variable for name, v in more.data_vars.items()}),
            observed=self.observed.sel(time=time),
        )

    def to_tree(self):
        """The domain as an xarray DataTree, ready to be written."""
        tree = xr.DataTree(name=self.name)
        tree.attrs["domain"] = self.name
        for group in GROUPS:
            if getattr(self, group) is not None:
                tree[group] = xr.DataTree(getattr(self, group))
        return tree


def sampled_units(name, forcing, attributes, observed, network=None):
    """A domain in which every unit is a place, as for sampling sites and leaves.

    Args:
        name: of the domain.
        forcing: Dataset (time or point, unit).
        attributes: Dataset (unit).
        observed: Dataset (time or point, place); its places are the units.
        network: Dataset (unit) with downstream (id, "" where there is none) and length [m] to it; None if there is no river.

    Returns:
        Domain
    """
    ids = forcing.unit.values.astype(str)
    places = {"unit": ("place", ids)}
    places |= {one: ("place", attributes[one].values, attributes[one].attrs) for one in POSITION if one in attributes}
    if network is not None:
        require(network, ["downstream", "length"], f"{name}/network")
        places["reach"] = ("place", ids)
        network = network.rename(unit="reach").assign(unit_reach=("unit", ids)).assign_coords(unit=ids)
    return Domain(name, forcing, attributes, network, xr.Dataset(places, coords={"place": ids}), observed)


def spatial_domain(domain, settings):
    """The domain in the spatial form of a model: every unit, or each place's catchment as one unit.

    A sampled place has only its own unit.

    Args:
        domain: the :class:`Domain`.
        settings: of the model; its ``spatial`` is ``lumped`` or not.
    """
    catchments = "drainage_area" in domain.places
    return domain.lumped() if settings.spatial == "lumped" and catchments else domain


def known_unit(variable, name, source):
    """Raise DataError or UnitError unless a variable states a unit that pint knows."""
    if variable.attrs.get("units") is None:
        raise DataError(f"{source}: variable '{name}' has no unit; set attrs['units']")
    try:
        parse_unit(variable.attrs["units"])
    except UnitError as error:
        raise UnitError(f"{source}: variable '{name}': {error}") from error


def expected_units(dataset, units, source):
    """Raise DataError naming the first variable of ``units`` (name -> unit) that has another unit."""
    for name, unit in units.items():
        stated = dataset[name].attrs.get("units") if name in dataset else unit
        if stated is None or parse_unit(stated) != parse_unit(unit):
            raise DataError(
                f"{source}: variable '{name}' has unit '{stated}', expected '{unit}'; convert it with thalweg.units.convert"
            )


def read_domain(path):
    """Read a domain written by :func:`thalweg.storage.store.write_netcdf` of :meth:`Domain.to_tree`."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        missing = [group for group in GROUPS if group not in tree.children and group != "network"]
        if missing:
            raise DataError(f"{path}: group '{missing[0]}' is missing; a domain has {', '.join(GROUPS)}")
        groups = {group: tree[group].to_dataset().load() for group in GROUPS if group in tree.children}
        return Domain(tree.attrs.get("domain", str(path)), **{"network": None, **groups})
