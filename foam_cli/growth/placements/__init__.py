"""Where to grow: one file per rule."""
