"""The container lab: real strongSwan, ExaBGP and FRR on one machine. ``setup.sh`` prepares, ``harness`` drives it."""
