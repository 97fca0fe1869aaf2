"""vLLM as the rollout engine: in the training process, or as a server."""
