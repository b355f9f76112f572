"""The mock interview: `python -m grader interview`.

`plan` draws it, `session` keeps it on disk, `conversation` and `coding` hold it, `scorecard` sums it up;
`reviews` says when each item comes back.
"""
