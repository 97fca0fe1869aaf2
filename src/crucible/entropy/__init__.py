"""Entropy controls: what keeps the policy exploring. One file is one control."""
