"""Who runs vtysh: this machine, or a container on it.

Rules of this file: whatever goes wrong on the way to FRR's answer is one ``UnreachableError`` that says which upstream,
what, and what to try next. Only ``show`` commands are run. docker is imported where it is used: it is slow to load, and
most commands of this program never need it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from rri_bgp.errors import UnreachableError, UsageError
from rri_bgp.inspect.flows import FLOW_COMMANDS, parse_flows
from rri_bgp.inspect.frr import (
    BGP_COMMANDS,
    ROUTE_COMMANDS,
    SESSIONS_COMMAND,
    VPN_COMMANDS,
    Key,
    UpstreamPath,
    UpstreamRoute,
    UpstreamTable,
    parse_paths,
    parse_routes,
    parse_sessions,
    parse_vpn_paths,
)
from rri_bgp.model import Address, FlowRule, Prefix

__all__ = ["ContainerVtysh", "LocalVtysh", "Upstream", "parse_upstream", "read"]

_TIMEOUT = 60.0
"""Seconds for one command. A table of a million paths takes FRR some ten seconds to print."""

_NO_RIGHT = "is FRR running, and may this user talk to it (root, or group frrvty)?"
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class Upstream(Protocol):
    """An FRR router that can be asked."""

    @property
    def where(self) -> str:
        """Which one it is, for errors: ``upstream local`` or ``upstream container:NAME``."""

    def run(self, command: str) -> str:
        """What vtysh prints for one ``show`` command.

        Raises:
            UnreachableError: it could not be run, failed, or did not end in time.
        """


@dataclass(frozen=True, slots=True)
class LocalVtysh:
    """FRR on this machine; ``timeout`` in seconds for a command."""

    timeout: float = _TIMEOUT

    @property
    def where(self) -> str:
        """``upstream local``."""
        return "upstream local"

    def run(self, command: str) -> str:
        """What the ``vtysh`` on PATH prints for one command.

        Raises:
            UnreachableError: there is no vtysh, it failed, or did not end in time.
        """
        program = shutil.which("vtysh")
        if program is None:
            hint = "run this on the FRR router, or name its container: --upstream container:NAME"
            raise UnreachableError("vtysh is not on PATH", where=self.where, hint=hint)
        try:
            done = subprocess.run(
                [program, "-c", command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=self.timeout,
            )
        except subprocess.TimeoutExpired:
            raise _too_slow(command, self.timeout, self.where) from None
        except OSError as error:
            raise UnreachableError(
                f"cannot run {program}: {error.strerror}", where=self.where, hint=_NO_RIGHT
            ) from None
        return _output(done.returncode, done.stdout, done.stderr, self.where)


@dataclass(frozen=True, slots=True)
class ContainerVtysh:
    """FRR in a running docker container of this name or id; ``timeout`` in seconds for a command."""

    name: str
    timeout: float = _TIMEOUT

    @property
    def where(self) -> str:
        """``upstream container:NAME``."""
        return f"upstream container:{self.name}"

    def run(self, command: str) -> str:
        """What the container's ``vtysh`` prints for one command.

        Raises:
            UnreachableError: no docker daemon, no such container, it is not running, vtysh failed or did not end in
                time.
        """
        outcome: list[tuple[int, bytes, bytes] | Exception] = []

        def ask() -> None:
            try:
                outcome.append(self._exec(command))
            except Exception as error:  # noqa: BLE001  # raised again in the caller's thread
                outcome.append(error)

        # docker's own timeout does not hold while it reads an exec's output, so the wait is ours. A daemon thread does
        # not keep this program from ending.
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(self.timeout)
        if not outcome:
            raise _too_slow(command, self.timeout, self.where)
        answer = outcome[0]
        if isinstance(answer, Exception):
            raise answer
        return _output(*answer, self.where)

    def _exec(self, command: str) -> tuple[int, bytes, bytes]:
        """Exit code, stdout and stderr of vtysh in the container."""
        import docker  # noqa: PLC0415  # slow to load
        import docker.errors  # noqa: PLC0415

        try:
            with closing(docker.from_env(timeout=max(1, int(self.timeout)))) as client:
                container = client.containers.get(self.name)
                if container.status != "running":
                    hint = f"docker {'unpause' if container.status == 'paused' else 'start'} {self.name}"
                    raise UnreachableError(f"the container is {container.status}", where=self.where, hint=hint)
                code, (out, err) = container.exec_run(["vtysh", "-c", command], demux=True)
        except docker.errors.NotFound:
            hint = "`docker ps` shows what runs; containerlab's are called clab-LAB-NODE"
            raise UnreachableError("no such container", where=self.where, hint=hint) from None
        except docker.errors.APIError as error:
            hint = f"docker inspect {self.name}"
            raise UnreachableError(f"docker: {error.explanation or error}", where=self.where, hint=hint) from None
        except (docker.errors.DockerException, OSError) as error:
            hint = "is docker running, and may this user talk to it (root, or group docker)?"
            raise UnreachableError(f"no answer from docker: {error}", where=self.where, hint=hint) from None
        # The client has None for an exec that has not ended, and for a stream without output.
        return -1 if code is None else code, _bytes(out), _bytes(err)


def parse_upstream(text: str) -> Upstream:
    """``local`` or ``container:NAME``.

    Raises:
        UsageError: anything else.
    """
    if text == "local":
        return LocalVtysh()
    kind, _, name = text.partition(":")
    if kind == "container" and _CONTAINER_NAME.fullmatch(name):
        return ContainerVtysh(name)
    hint = "local is the FRR of this machine, container:NAME the one in a docker container"
    raise UsageError(f"{text!r} is not an upstream: local or container:NAME", where="--upstream", hint=hint)


def read(upstream: Upstream) -> UpstreamTable:
    """Its neighbors, its BGP, VPN and FlowSpec tables, and zebra's BGP routes; both families of each.

    Raises:
        UnreachableError: it cannot be asked, or answers what FRR does not.
    """
    paths: dict[Key, tuple[UpstreamPath, ...]] = {}
    for command in BGP_COMMANDS:
        paths.update(parse_paths(upstream.run(command), upstream.where))
    sessions = parse_sessions(upstream.run(SESSIONS_COMMAND), upstream.where)
    for command in VPN_COMMANDS if sessions.vpn else ():
        paths.update(parse_vpn_paths(upstream.run(command), upstream.where))
    routes: dict[Prefix, UpstreamRoute] = {}
    for command in ROUTE_COMMANDS:
        routes |= parse_routes(upstream.run(command), upstream.where)
    flows: dict[FlowRule, Address] = {}
    for command in FLOW_COMMANDS if sessions.flows else ():
        flows |= parse_flows(upstream.run(command), upstream.where)
    return UpstreamTable(paths, routes, sessions, flows)


def _bytes(stream: object) -> bytes:
    return stream if isinstance(stream, bytes) else b""


def _output(code: int, out: bytes, err: bytes, where: str) -> str:
    """What vtysh printed, where it ended well; FRR's own warnings on stderr are then not ours to judge."""
    text = out.decode("utf-8", "replace")
    if code == 0:
        return text
    said = [line.strip() for line in (err.decode("utf-8", "replace") or text).splitlines() if line.strip()]
    last = said[-1].removeprefix("% ") if said else "it said nothing"
    raise UnreachableError(f"vtysh failed with exit code {code}: {last}", where=where, hint=_NO_RIGHT)


def _too_slow(command: str, timeout: float, where: str) -> UnreachableError:
    return UnreachableError(f"vtysh did not answer `{command}` within {timeout:g} s", where=where, hint=_NO_RIGHT)
