"""Corrections for data of another policy: detached weights on the per-token policy loss.

pi_sample made the tokens (an inference engine, or weights of some steps ago), pi_old is the trainer's policy at the
start of the update, which the policy loss takes its ratio against (algo.old_logps=recompute).
"""
