"""Problems, solutions, test suites, verdicts and the training set D(tau) they leave (arXiv 2509.20837)."""
