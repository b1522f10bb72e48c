"""The local control socket: what people and programs ask a running controller.

``protocol.py`` is the wire format, ``views.py`` what is answered, ``server.py`` and ``client.py`` the two ends.
"""

__all__: list[str] = []
