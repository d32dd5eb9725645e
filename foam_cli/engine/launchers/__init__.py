"""Where the runs of a study run, one file each: on this machine, through joblib, SLURM or Ray."""
