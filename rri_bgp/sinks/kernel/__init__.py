"""The kernel's routing tables as a sink: the main one, any other, or a VRF's (rules N5-N7, G3, G6)."""
