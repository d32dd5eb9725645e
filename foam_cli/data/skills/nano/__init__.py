"""What the embedded world asks in the three skills: few words, within nano's vocabulary."""
