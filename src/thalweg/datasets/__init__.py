"""Real data brought into the canonical form: one file per source."""
