"""When to grow: one file per rule."""
