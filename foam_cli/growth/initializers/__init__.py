"""With what newborn neurons begin: one file per method."""
