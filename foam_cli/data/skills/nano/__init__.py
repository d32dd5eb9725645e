"""What the embedded world asks in the three skills: few words, few patterns, within nano's small vocabulary."""
