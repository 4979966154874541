"""The fault run: real workers, a real PostgreSQL and a far side that judges, made to fail on purpose.

It is no part of what is installed: it kills servers, fills disks and makes networks of its own. Run
it with `make faults`; its reduced size is `tests/house/test_faults.py`.
"""
