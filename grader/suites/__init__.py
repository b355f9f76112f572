"""One suite per exercise: everything the grader knows about it. Found by file name."""
