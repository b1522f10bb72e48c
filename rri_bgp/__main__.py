"""``python -m rri_bgp`` is ``rri-bgp``."""

from rri_bgp.cli import main

if __name__ == "__main__":
    main()
