"""Orders in which training examples are shown, one file each."""
