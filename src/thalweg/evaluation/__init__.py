"""Scores of simulations, statistics over places, evidence and claims."""
