"""What is asked in ordinary English, for any chat model."""
