"""Catalogue, download, atomic output with provenance, fingerprints of code."""
