"""Libreswan's pluto as the hub's IKE daemon, in the namespace that ``Gateways`` has made."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.kernel.gateways import DEADLINE, HUB, run

__all__ = ["Pluto"]

_PLUTO, _WHACK, _ADDCONN = (f"/usr/libexec/ipsec/{name}" for name in ("pluto", "whack", "addconn"))

_CONNECTION = """\
conn {name}
    keyexchange=ikev2
    authby=secret
    left={hub}
    leftid=@hub
    leftsubnet={local}
    right={peer}
    rightid=@branch
    rightsubnet={remote}
    ike=aes_gcm128-sha2_256;dh31
    esp=aes_gcm128
    pfs=no
    mobike=yes
    dpddelay=1
    retransmit-timeout=1s
    retransmit-interval=200
    rekey=no
{more}
"""


class Pluto:
    """``connections``: name -> (local, remote). ``peer`` is the branch's address, or %any for one that may move."""

    def __init__(self, folder: Path, connections: Mapping[str, tuple[str, str]], peer: str, more: str = "") -> None:
        self._folder = folder
        self._peer = peer
        self._more = more
        self._connections = connections
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and loads all connections. It begins with no SA and no policy at all: it flushes both."""
        self._folder.mkdir(parents=True, exist_ok=True)
        config, secrets = self._folder / "ipsec.conf", self._folder / "ipsec.secrets"
        text = "".join(
            _CONNECTION.format(name=name, hub=HUB, peer=self._peer, local=local, remote=remote, more=self._more)
            for name, (local, remote) in self._connections.items()
        )
        config.write_text(f"config setup\n\n{text}")
        secrets.write_text('@hub @branch : PSK "only a test"\n')
        if not (self._folder / "cert9.db").exists():
            run("certutil", "-N", "-d", f"sql:{self._folder}", "--empty-password")
        control = self._folder / "pluto.ctl"
        for left in (control, self._folder / "pluto.pid"):
            left.unlink(missing_ok=True)
        files = ("--config", str(config), "--secretsfile", str(secrets), "--nssdir", str(self._folder))
        log = ("--logfile", str(self._folder / "log"), "--rundir", str(self._folder))
        self._daemon = subprocess.Popen(
            ["ip", "netns", "exec", "hub", _PLUTO, "--nofork", *files, *log],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + DEADLINE
        while not control.exists():
            assert time.monotonic() < end, f"pluto does not start: {self.log()}"
            time.sleep(0.05)
        for name in self._connections:
            run(_ADDCONN, "--config", str(config), "--ctlsocket", str(control), name)

    def stop(self, how: signal.Signals) -> None:
        """Ends it."""
        if self._daemon is not None:
            self._daemon.send_signal(how)
            self._daemon.wait(DEADLINE)
            self._daemon = None

    def whack(self, *words: str) -> str:
        """Tells it something."""
        return run(_WHACK, "--rundir", str(self._folder), *words)

    def log(self) -> str:
        """The end of its log."""
        file = self._folder / "log"
        return file.read_text(errors="replace")[-2000:] if file.exists() else "no log"
