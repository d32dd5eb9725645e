"""Floor 0: the words everything else is written in. Imports nothing of foam, and torch only where it must."""
