"""`trainer=trl`: a run of online RL driven by TRL's GRPOTrainer, in place of Lightning's loop."""
