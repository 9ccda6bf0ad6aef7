"""The domain and its geometry: units, reaches, places, grids, delineation."""
