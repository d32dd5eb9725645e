"""What is trained after growth: tool calls, an identity, multi-step tasks; one generator, a folder of content per world."""
