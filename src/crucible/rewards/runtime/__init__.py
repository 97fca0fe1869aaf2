"""Where verifiers run: a small pool of processes that can be killed, so that no answer can hang or crash a run."""
