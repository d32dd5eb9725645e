"""The Python interface: growth inside training loops that are not foam's."""
