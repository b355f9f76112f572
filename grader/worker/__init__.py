"""The only process that executes learner code. Nothing here knows suites, oracles or solutions.

`server` is started in confinement, imports what the exercise needs and forks one `session` per
grading. This package imports nothing of the rest of the grader: confined, it sees only itself.
"""
