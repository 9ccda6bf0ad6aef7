"""The study: configuration, experiments, simulation, evaluation."""
