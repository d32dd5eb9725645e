"""Where a run's numbers are shown beside those of other runs: sinks that only read."""
