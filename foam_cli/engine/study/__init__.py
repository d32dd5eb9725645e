"""A study: which runs it has, in which processes they run, and what they show."""
