"""Water temperature, solutes, oxygen."""
