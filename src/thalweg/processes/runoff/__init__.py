"""Rainfall-runoff processes."""
