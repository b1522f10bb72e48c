"""The demo's script: its policy, the recorded hub, and what the one makes of the other."""

from __future__ import annotations

from pathlib import Path

from rri_bgp.demo.show import Script
from rri_bgp.demo.story import tell
from rri_bgp.policy import load
from rri_bgp.policy.config import ReplaySettings
from rri_bgp.sources.recording import read
from rri_bgp.sources.replay import SHIPPED

__all__ = ["prepare"]

_PLAY_TIME = 8.0
"""Seconds that the recording is made to take, however long it took to record."""

_POLICY = """\
version: 1
local:
  as: 65000
  next-hop: [198.51.100.1, "2001:db8:100::1"]
sources:
  - replay: {{speed: {speed}}}
sinks:
  exabgp: {{}}
control: {{socket: "{folder}/control.sock"}}
crypto-maps:
  internet:
    entries:
      - seq: 10
        type: dynamic
        match: {{connection: "branch1"}}
        reverse-route: {{tag: 100}}
      - seq: 20
        type: dynamic
        match: {{connection: "branch*"}}
        reverse-route: {{tag: 200}}
      - seq: 65000
        type: dynamic
        reverse-route: {{tag: 70000}}
"""


def prepare(folder: Path) -> Script:
    """Writes the policy into ``folder``; returns it with the steps that it makes of the recording."""
    source = ReplaySettings().name
    moments = list(read(SHIPPED, source))
    speed = max(moments[-1].at / _PLAY_TIME, 0.01)
    file = folder / "policy.yaml"
    file.write_text(_POLICY.format(speed=f"{speed:.3f}", folder=folder))
    return Script(tell(load(file).policy, source, moments), round(speed, 3), file)
