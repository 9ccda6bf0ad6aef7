"""Losses for observations at gauges and sites: one file each, a function of its file's name.

Every loss takes (time, gauge) tensors of one unit (mm/day for discharge); days without observation are NaN. The third argument
is the standard deviation of each gauge's observations in the training period. A loss may declare:

- ``censored = True``: it takes a fourth argument of the first ones' shape, True where an observation is an upper limit
  ; a loss without it never receives such observations at sites;
- ``logarithmic = True``: the standard deviation is that of the logarithms;
- ``mixture = True``: its first argument is a distribution (time, gauge, 4, component), of a model with a mixture head;
- ``takes = "above 0"`` or ``"at least 0"``: the observations for which it is defined; training with others is refused. A
  loss without it takes any number.
"""
