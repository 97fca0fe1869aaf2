"""The miniature world of programs: tasks of graded difficulty, programs right, nearly right and wrong, and tests."""
