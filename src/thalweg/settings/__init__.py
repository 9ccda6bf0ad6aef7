"""Keys, types, units and meaning of the configuration."""
