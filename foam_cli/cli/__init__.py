"""Floor 5: words on a command line to calls of the engine."""
