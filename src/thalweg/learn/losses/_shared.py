"""Constants shared by several losses."""

STABILITY = 0.1  # mm/day, or the unit of another series, added to each gauge's standard deviation (Kratzert et al. 2019, doi:10.5194/hess-23-5089-2019)
