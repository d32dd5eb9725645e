"""Floor 3: penalties on forgetting, one file each."""
