"""Benchmarks of reward models: RM-Bench, JudgeBench, RewardBench 2, and principles that a program can check.

| what | file |
|---|---|
| an item: a prompt, its right responses, its wrong ones | items |
| rows of a benchmark's file, each with its place | files |
| a benchmark's loader and its scoring rule | rm_bench, judgebench, rewardbench2, principles |
| which judge is meant, without loading it | choice |
| what gives scores or verdicts | controls, principle_judge, generative, classifier, endpoint |
| scoring what is not scored yet | evaluate, store |
| the table and summary.json | summary |
| the command | command |
"""
