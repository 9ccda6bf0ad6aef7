"""What every component with a Basic Model Interface does alike: variables, grids, values and times (BMI 2.0).

Hutton et al. (2020, doi:10.21105/joss.02317); https://bmi.readthedocs.io.
"""

from dataclasses import dataclass

import numpy as np

from thalweg.library.bmi_grid import Grid

try:
    import bmipy
except ImportError as error:
    raise ImportError("the Basic Model Interface needs bmipy; install it with: pip install 'thalweg[bmi]'") from error

TYPE = np.dtype("float64")


class BmiError(ValueError):
    """A wrong call, configuration or state; the message says what is wrong and what to do."""


@dataclass
class Value:
    """A variable: its grid, its unit as pint reads it, and its values (point,), which are changed in place."""

    grid: Grid
    unit: str
    values: np.ndarray

    @classmethod
    def on(cls, grid, unit):
        return cls(grid, unit, np.full(len(grid.ids), np.nan, TYPE))

    @property
    def written(self):
        """The unit as UDUNITS reads it."""
        return "1" if self.unit in ("", "dimensionless") else self.unit.replace("**", "")


class Component(bmipy.Bmi):
    """Bookkeeping of a component; what is simulated is defined by subclasses.

    They fill ``inputs`` and ``outputs`` (name -> :class:`Value`), ``grids`` (list) and ``times`` (datetime64, beginnings of all steps
    and the end of the last), and define ``_begin`` and ``_advance``.
    """

    def __init__(self):
        self.inputs, self.outputs, self.grids = {}, {}, []
        self.times, self.done = None, 0

    # Times

    def update(self):
        """Simulate one step.

        Raises:
            BmiError: at the end of the period, or if an input has no value.
        """
        self._initialised()
        if self.done + 1 >= len(self.times):
            raise BmiError(
                f"the period ends with the step that begins at {self.times[-2]}; set a later end in the configuration file"
            )
        for name, one in self.inputs.items():
            wrong = np.flatnonzero(~np.isfinite(one.values))
            if len(wrong):
                raise BmiError(
                    f"{name} of {one.grid.name} '{one.grid.ids[wrong[0]]}' is {one.values[wrong[0]]} for the step that begins at "
                    f"{self.times[self.done]}, where the domain has no forcing; set it with set_value before update"
                )
        self._advance()
        self.done += 1
        self._begin()

    def update_until(self, time):
        """Simulate all steps up to a time.

        Raises:
            BmiError: if it has passed, lies after the end, or is not the end of a step.
        """
        self._initialised()
        ends = self._seconds(self.times)
        position = int(np.searchsorted(ends, time))
        if not self.done <= position < len(ends) or ends[position] != time:
            raise BmiError(
                f"time {time:g} s is not the end of a step from now, {ends[self.done]:g} s, to the end of the period, {ends[-1]:g} s"
            )
        while self.done < position:
            self.update()

    def finalize(self):
        """Forget everything; the component can be initialised again."""
        self.__dict__.clear()
        self.__init__()

    def get_start_time(self):
        return 0.0

    def get_current_time(self):
        """Seconds from the start to the next step."""
        self._initialised()
        return float(self._seconds(self.times[self.done]))

    def get_end_time(self):
        self._initialised()
        return float(self._seconds(self.times[-1]))

    def get_time_units(self):
        return "s"

    def get_time_step(self):
        """Length of the next step in seconds; months differ."""
        self._initialised()
        first = min(self.done, len(self.times) - 2)
        return float(np.diff(self._seconds(self.times[first : first + 2]))[0])

    def _seconds(self, times):
        return (times - self.times[0]) / np.timedelta64(1, "s")

    def _initialised(self):
        if self.times is None:
            raise BmiError("the component is not initialised; call initialize with the path of a configuration file")

    # Variables

    def get_input_item_count(self):
        return len(self.inputs)

    def get_output_item_count(self):
        return len(self.outputs)

    def get_input_var_names(self):
        return tuple(self.inputs)

    def get_output_var_names(self):
        return tuple(self.outputs)

    def get_var_grid(self, name):
        return self.grids.index(self._value(name).grid)

    def get_var_type(self, name):
        self._value(name)
        return TYPE.name

    def get_var_units(self, name):
        return self._value(name).written

    def get_var_itemsize(self, name):
        return self._value(name).values.itemsize

    def get_var_nbytes(self, name):
        return self._value(name).values.nbytes

    def get_var_location(self, name):
        self._value(name)
        return "node"

    def get_value(self, name, dest):
        dest[:] = self._value(name).values
        return dest

    def get_value_ptr(self, name):
        """The values themselves: they change with every step, and an input that is changed in place counts."""
        return self._value(name).values

    def get_value_at_indices(self, name, dest, inds):
        dest[:] = self._value(name).values[np.asarray(inds)]
        return dest

    def set_value(self, name, src):
        """Set an input of the coming step.

        Raises:
            BmiError: for an output, or for another number of values than points.
        """
        one = self._input(name)
        values = np.asarray(src, TYPE).ravel()
        if len(values) not in (1, len(one.values)):
            raise BmiError(
                f"{name} has {len(one.values)} values, one for every {one.grid.name}; {len(values)} were given"
            )
        one.values[:] = values

    def set_value_at_indices(self, name, inds, src):
        self._input(name).values[np.asarray(inds)] = src

    def _value(self, name):
        self._initialised()
        if name not in self.inputs and name not in self.outputs:
            raise BmiError(f"there is no variable {name!r}; there are {', '.join([*self.inputs, *self.outputs])}")
        return self.inputs[name] if name in self.inputs else self.outputs[name]

    def _input(self, name):
        one = self._value(name)
        if name not in self.inputs:
            raise BmiError(f"{name} is an output; inputs are {', '.join(self.inputs)}")
        return one

    # Grids

    def ids(self, grid):
        """Ids of the points of a grid, by its number: a list of texts."""
        return [str(one) for one in self._grid(grid).ids]

    def get_grid_type(self, grid):
        self._grid(grid)
        return "unstructured"

    def get_grid_rank(self, grid):
        self._grid(grid)
        return 2

    def get_grid_size(self, grid):
        return len(self._grid(grid).ids)

    def get_grid_node_count(self, grid):
        return len(self._grid(grid).ids)

    def get_grid_edge_count(self, grid):
        return len(self._grid(grid).edges)

    def get_grid_face_count(self, grid):
        self._grid(grid)
        return 0

    def get_grid_x(self, grid, x):
        x[:] = self._grid(grid).longitude
        return x

    def get_grid_y(self, grid, y):
        y[:] = self._grid(grid).latitude
        return y

    def get_grid_edge_nodes(self, grid, edge_nodes):
        edge_nodes[:] = self._grid(grid).edges.ravel()
        return edge_nodes

    def get_grid_z(self, grid, z):
        raise self._none("third dimension")

    def get_grid_shape(self, grid, shape):
        raise self._none("shape")

    def get_grid_spacing(self, grid, spacing):
        raise self._none("spacing")

    def get_grid_origin(self, grid, origin):
        raise self._none("origin")

    def get_grid_face_edges(self, grid, face_edges):
        raise self._none("faces")

    def get_grid_face_nodes(self, grid, face_nodes):
        raise self._none("faces")

    def get_grid_nodes_per_face(self, grid, nodes_per_face):
        raise self._none("faces")

    def _grid(self, grid):
        self._initialised()
        if not 0 <= grid < len(self.grids):
            raise BmiError(f"there is no grid {grid}; grids are 0 to {len(self.grids) - 1}")
        return self.grids[grid]

    @staticmethod
    def _none(what):
        return NotImplementedError(f"the grids are points and have no {what}")
