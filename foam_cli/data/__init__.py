"""Floor 3: from files and generators to batches of tokens."""
