"""ExaBGP as a sink, over its process API (text commands out, one answer each).

``commands.py`` is the text, ``answers.py`` what comes back, ``queue.py`` what is still to do, ``sink.py`` the
dialogue over a pair of byte streams, ``stdio.py`` the streams that ExaBGP gives its helper.
"""

__all__: list[str] = []
