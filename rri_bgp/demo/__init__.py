"""The embedded demo: two real ExaBGP processes on loopback, fed by a recorded SA history. No root, no docker.

``daemon.py`` runs an ExaBGP, ``listener.py`` is the helper inside the one that plays the upstream, ``updates.py``
reads what that helper passes on, ``story.py`` says what a recording should do, ``show.py`` plays it.
"""

__all__: list[str] = []
