"""From the YAML file to a checked configuration. ``load`` is the only way in; errors carry line and column.

What a ``Config`` is made of is in ``config``, for those who ask for a part of it by name.
"""

from rri_bgp.policy.config import Config
from rri_bgp.policy.load import load

__all__ = ["Config", "load"]
