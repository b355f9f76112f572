"""Grades a class: `python -m grader class SUBMISSIONS --out REPORT`.

collect.py finds the submissions (folders.py walks, unpack.py opens zip files, platforms.py reads names,
roster.py the list of students), run.py grades them on all cores and cluster.py on a Dask cluster, store.py
keeps what is known so that nothing is graded twice, report.py and formats.py tell it.
"""
