"""Regridding: rain grids to catchments.

Reads data/cevennes; writes results/<study>/domains/cevennes.nc and its tables.
"""
