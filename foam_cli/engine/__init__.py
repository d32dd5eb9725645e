"""Floor 4: the only floor where the families meet."""
