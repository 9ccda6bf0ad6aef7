"""Steps of the workflow, one module each."""
