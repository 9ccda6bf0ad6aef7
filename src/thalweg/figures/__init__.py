"""Figures: one figure, one file, one function ``draw``: tables and netCDF files in, a matplotlib Figure out."""
