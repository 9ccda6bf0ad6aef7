"""Training and test places: splits, training and simulation of every fold and seed."""
