"""What happens when something dies, stalls or lies: every fault on every part under every load, in the lab.

``make faults`` runs it and writes docs/results/faults.md; it takes about half an hour. ``gaps.py`` works out what was
missing, ``world.py`` makes loads and faults, ``test_faults.py`` is the matrix, ``report.py`` the table.
"""
