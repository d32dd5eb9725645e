"""Which dead neurons make room: one file per rule."""
