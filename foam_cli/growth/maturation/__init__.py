"""How young neurons are protected: one file per rule."""
