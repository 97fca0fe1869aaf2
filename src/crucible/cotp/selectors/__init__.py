"""The choices of data/select: each a function or object that is given a pool and says which chains to train on."""
