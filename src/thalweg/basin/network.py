"""River topology: reaches, the reach each one drains to, and the upstream relations.

Reaches are identified by their ids; the order in a file does not matter.
"""

import numpy as np
import scipy.sparse as sparse


class NetworkError(ValueError):
    """An invalid river network: a cycle, a missing or duplicate reach."""


class River:
    """A forest of reaches.

    Args:
        reach: ids (reach,), unique.
        downstream: id of the reach downstream of each (reach,); ``""`` at an outlet.
        source: the file or domain the network is from, for messages.

    Raises:
        NetworkError: naming the first duplicate reach, the first reach that drains to one that is absent, or the
            reaches of a cycle.
    """

    def __init__(self, reach, downstream, source="network"):
        self.reach = np.asarray(reach).astype(str)
        self.source = source
        self.index = {name: position for position, name in enumerate(self.reach)}
        if len(self.index) < len(self.reach):
            names, counts = np.unique(self.reach, return_counts=True)
            raise NetworkError(
                f"{source}: reach '{names[counts > 1][0]}' appears more than once; reach ids must be unique"
            )
        self.downstream = np.full(len(self.reach), -1)
        for position, target in enumerate(np.asarray(downstream).astype(str)):
            if target == "":
                continue
            if target not in self.index:
                raise NetworkError(
                    f"{source}: reach '{self.reach[position]}' drains to '{target}', which is not in the network; "
                    "add that reach, or mark this one as an outlet with an empty id"
                )
            self.downstream[position] = self.index[target]
        self.levels = self._levels()
        self.order = np.concatenate(self.levels) if self.levels else np.zeros(0, int)

    def _levels(self):
        """Positions of the reaches farthest from an outlet, of the next, ... and of the outlets.

        The tributaries of a reach are in the level before its own, in the order of the level below.
        """
        by_target = np.argsort(self.downstream, kind="stable")
        targets = self.downstream[by_target]
        levels = [by_target[targets < 0]]
        while len(levels[-1]):
            first, last = (np.searchsorted(targets, levels[-1], side) for side in ("left", "right"))
            offset = np.repeat(last - np.cumsum(last - first), last - first)
            levels.append(by_target[np.arange(len(offset)) + offset])
        if sum(map(len, levels)) < len(self.reach):
            done = set(np.concatenate(levels))
            raise NetworkError(
                f"{self.source}: the network has a cycle: {' -> '.join(self._cycle(done))}; correct a downstream reach"
            )
        return levels[-2::-1]

    def _cycle(self, done):
        here = next(position for position in range(len(self.reach)) if position not in done)
        seen = []
        while here not in seen:
            seen.append(here)
            here = self.downstream[here]
        loop = [*seen[seen.index(here) :], here]
        return [str(self.reach[position]) for position in loop]

    @property
    def outlets(self):
        """Positions of the reaches that drain to none."""
        return np.flatnonzero(self.downstream < 0)

    def positions(self, names):
        """Positions of reach ids; NetworkError names the first that is absent."""
        for name in np.asarray(names).astype(str):
            if name not in self.index:
                raise NetworkError(f"{self.source}: reach '{name}' is not in the network")
        return np.array([self.index[name] for name in np.asarray(names).astype(str)], dtype=int)

    def require_positive(self, name, values):
        """Raise NetworkError naming the first reach whose value (a length, a slope, a width) is missing, zero or negative."""
        wrong = np.flatnonzero(~(np.asarray(values, dtype=float) > 0))
        if len(wrong):
            raise NetworkError(
                f"{self.source}: reach '{self.reach[wrong[0]]}' has {name} {np.asarray(values)[wrong[0]]:g}, and "
                f"{len(wrong) - 1} more; it must be above 0: correct it, or join the reach with the one downstream"
            )

    def accumulate(self, local):
        """Sum of ``local`` (reach,) over each reach and everything upstream of it, (reach,)."""
        total = np.array(local, dtype=float)
        for level in self.levels[:-1]:
            np.add.at(total, self.downstream[level], total[level])
        return total

    def subtrees(self, size):
        """Cut the network into connected parts of at least ``size`` reaches each, except for remainders at outlets.

        Returns:
            array (reach,): the position of the last reach, downstream, of the part that each reach is in. A part needs
            only the outflows of the parts upstream of it.
        """
        count, last = np.ones(len(self.reach), int), np.arange(len(self.reach))
        whole = self.downstream < 0
        for level in self.levels[:-1]:
            whole[level] |= count[level] >= size
            joined = level[~whole[level]]
            np.add.at(count, self.downstream[joined], count[joined])
        for level in self.levels[-2::-1]:
            last[level] = np.where(whole[level], level, last[self.downstream[level]])
        return last

    def upstream(self, names):
        """Which reaches lie at or upstream of each named reach.

        Returns:
            scipy.sparse.csr_matrix: (len(names), reach) of 0 and 1.
        """
        above = [[] for _ in self.reach]
        for position, target in enumerate(self.downstream):
            if target >= 0:
                above[target].append(position)
        rows, columns = [], []
        for row, start in enumerate(self.positions(names)):
            stack = [start]
            while stack:
                here = stack.pop()
                rows.append(row)
                columns.append(here)
                stack.extend(above[here])
        shape = (len(names), len(self.reach))
        return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
