"""Leaf and canopy."""
