"""The explorer: one page of a study that opens offline, with a map of its places, their series, parameters and scores."""
