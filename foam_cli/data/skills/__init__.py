"""What is trained after growth: tool calls, an identity, multi-step reasoning; with held-out prompts."""
