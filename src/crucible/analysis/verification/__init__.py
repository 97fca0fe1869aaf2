"""What a verifier throws away and what it lets through, by its verdicts (Verification Limits, arXiv 2509.20837).

| question | file |
|---|---|
| what a table of verdicts is | verdicts |
| what a verifier is: tests at tau, a judge at a cut-off, both, either | verifiers |
| how many it kept, problem by problem: all that rates need, as a small file | counts |
| a rate over problems and a difference of two, with intervals clustered by problem | ratios |
| kept, precision, recall, false accepts and rejects, coverage and diversity ceilings | rates |
| detection rate, verifier accuracy and error patterns of a suite (SAGA, arXiv 2507.06920) | suite_quality |
| the same as tables, figures, and a page about one problem | tables, figures, problem_page |
| claims about verdicts | claims |
"""
