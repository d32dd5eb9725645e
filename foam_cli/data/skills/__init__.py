"""Tool calls, an identity, multi-step tasks: one generator, and a folder of content for each world."""
