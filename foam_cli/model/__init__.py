"""Floor 2: what growth does to a model: slots for neurons, inserted blocks, surgery and its optimizers."""
