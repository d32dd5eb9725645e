"""How old examples are mixed into new batches, one file each."""
