"""Grids of runs on a cluster: a sweep file becomes run directories, each made exactly once.

definition -> expansion (points with run ids) -> status (run directories + one squeue) ->
submission (arrays of `worker.work(path)`) -> the worker on the node -> crucible.run.run(**config)
"""
