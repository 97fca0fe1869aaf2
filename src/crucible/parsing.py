"""Python text into a tree, by one thread at a time.

Before Python 3.11.5 two threads that parse at once can fail with "AST constructor recursion depth mismatch": the depth
is counted for the whole interpreter (python/cpython#106905).
"""

from __future__ import annotations

import threading

PARSING = threading.Lock()
