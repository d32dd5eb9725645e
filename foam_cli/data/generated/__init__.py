"""Documents that a model writes by itself: how they begin and end, and which of them are kept."""
