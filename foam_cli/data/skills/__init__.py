"""What is trained after growth: tool calls, an identity, multi-step reasoning; held-out prompts by construction."""
