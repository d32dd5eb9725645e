"""Reads run folders and nothing else: tables, figures, one self-contained page, a terminal summary."""
