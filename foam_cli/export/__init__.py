"""Turns a grown model into a folder that plain transformers loads, and proves that it is the same model."""
