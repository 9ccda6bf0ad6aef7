"""Analyses of trained models: elasticity, internal fluxes, parameters, trends, floods, twin experiments."""
