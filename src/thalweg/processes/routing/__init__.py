"""Processes of a river reach, and the unit hydrograph."""
