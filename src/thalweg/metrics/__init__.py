"""Metrics of hydrographs and samples, signatures, flood frequency."""
