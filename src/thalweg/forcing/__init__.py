"""Estimates of forcing that was not measured."""
