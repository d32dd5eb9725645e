"""Floor 3: when, where and with what a model grows. Growth only plans; surgery edits."""
