"""Floor 3: what a model can do, as numbers with their uncertainty. Knows nothing of growth or training."""
