"""What trained models tell: elasticity, internal fluxes, parameters, trends, floods, twin experiments."""
