"""Who trains and who is tested: splits, training and simulation of every fold and seed."""
