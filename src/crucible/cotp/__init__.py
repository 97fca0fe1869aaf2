"""CoTP (arXiv 2509.21124): which chains of thought should a model see before RL?

    chains -> pattern chains, entropy chains -> importance -> distances to a core set -> assignment -> what to train on

| question | file |
|---|---|
| what is a chain of thought here | chains |
| its two representations | patterns/, entropy_chains |
| which patterns matter | importance |
| how far are two chains apart | labels, dtw/, distance |
| the nearest of a pool that does not fit in memory | nearest |
| which core item gets which pool item | assignment |
| the choices of data/select | selectors/ |
| the stages on files: python -m crucible.cotp | program |

docs/cotp.md says what is the paper's, what was not found, and what is ours.
"""
