"""Learning: parameter networks, sequence models, losses, scaling, the training loop, checkpoints."""
