"""Running vtysh: a shell script stands in for it, and no docker answers."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import docker.errors
import pytest

from rri_bgp.errors import UnreachableError, UsageError
from rri_bgp.inspect import ContainerVtysh, LocalVtysh, Sessions, Upstream, VpnPrefix, parse_upstream, read
from rri_bgp.model import FlowRule
from tests.values import HUB4, pfx

RECORDED = Path(__file__).parent / "frr-10.3"


@pytest.fixture
def path_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH: no vtysh in it yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def fake_vtysh(folder: Path, script: str) -> None:
    program = folder / "vtysh"
    program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    program.chmod(0o755)


def failure(upstream: Upstream) -> UnreachableError:
    """The error of reading it: one line and a hint."""
    with pytest.raises(UnreachableError) as caught:
        read(upstream)
    assert caught.value.where == upstream.where
    assert caught.value.hint
    assert "\n" not in caught.value.what
    return caught.value


def test_no_vtysh(path_dir: Path) -> None:
    assert str(failure(LocalVtysh())).splitlines()[0] == "upstream local: vtysh is not on PATH"


def test_read_asks_for_all_families(path_dir: Path) -> None:
    cases = (
        ("show bgp ipv4 unicast detail json", "bgp4"),
        ("show bgp ipv6 unicast detail json", "bgp6"),
        ("show bgp summary json", "summary"),
        ("show bgp ipv4 vpn detail json", "vpn4"),
        ("show bgp ipv6 vpn detail json", "vpn6"),
        ("show ip route bgp json", "route4"),
        ("show ipv6 route bgp json", "route6"),
    )
    lines = [f'"{command}") cat "{RECORDED}/{name}.json" ;;' for command, name in cases]
    lines += [f'"show bgp ipv{version} flowspec detail") cat "{RECORDED}/flow{version}.txt" ;;' for version in (4, 6)]
    warning = 'echo "% Can\'t open configuration file /etc/frr/vtysh.conf" >&2'
    fake_vtysh(path_dir, "\n".join([warning, '[ "$1" = -c ] || exit 9', 'case "$2" in', *lines, "*) exit 8;; esac"]))
    table = read(LocalVtysh())
    assert [path.peer for path in table.paths[pfx("10.2.0.0/16")]] == [HUB4]
    assert pfx("2001:db8:1::/48") in table.paths
    assert table.routes[pfx("10.2.0.0/16")].installed
    assert table.routes[pfx("2001:db8:1::/48")].installed
    assert {str(key) for key in table.paths if isinstance(key, VpnPrefix)} == {
        "10.1.0.0/16 RD 65000:1",
        "2001:db8:1::/48 RD 65000:1",
    }
    assert table.sessions == Sessions(*[frozenset({HUB4})] * 3)
    assert table.flows[FlowRule(pfx("10.41.0.0/24"), 6, (443, 443))] == HUB4


def test_vtysh_fails(path_dir: Path) -> None:
    fake_vtysh(path_dir, "echo noise >&2; echo 'bgpd is not running' >&2; exit 1")
    assert failure(LocalVtysh()).what == "vtysh failed with exit code 1: bgpd is not running"


def test_vtysh_does_not_know_the_command(path_dir: Path) -> None:
    fake_vtysh(path_dir, 'echo "% Unknown command: $2"; exit 1')
    expected = "vtysh failed with exit code 1: Unknown command: show bgp ipv4 unicast detail json"
    assert failure(LocalVtysh()).what == expected


def test_vtysh_fails_in_silence(path_dir: Path) -> None:
    fake_vtysh(path_dir, "exit 3")
    assert failure(LocalVtysh()).what == "vtysh failed with exit code 3: it said nothing"


@pytest.mark.parametrize("script", ["echo Hello, this is FRRouting", "printf '\\377\\376'", "true", "echo '[1]'"])
def test_vtysh_prints_garbage(path_dir: Path, script: str) -> None:
    fake_vtysh(path_dir, script)
    with pytest.raises(UnreachableError, match="JSON") as caught:
        read(LocalVtysh())
    assert caught.value.where == "upstream local"


def test_vtysh_hangs(path_dir: Path) -> None:
    fake_vtysh(path_dir, "exec sleep 60")
    expected = "vtysh did not answer `show bgp ipv4 unicast detail json` within 0.2 s"
    assert failure(LocalVtysh(timeout=0.2)).what == expected


def test_vtysh_is_no_program(path_dir: Path) -> None:
    (path_dir / "vtysh").write_text("#!/nonexistent\n")
    (path_dir / "vtysh").chmod(0o755)
    assert failure(LocalVtysh()).what == f"cannot run {path_dir}/vtysh: No such file or directory"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_docker_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    error = failure(ContainerVtysh("clab-rri-upstream"))
    assert error.where == "upstream container:clab-rri-upstream"
    assert error.what.startswith("no answer from docker: ")
    # docker does not close the socket that it could not connect: collected here, it is not another test's warning.
    del error
    gc.collect()


class FakeDocker:
    """What ``docker.from_env`` gives: one container, or the error of looking for it."""

    def __init__(self, result: Any, status: str = "running", error: Exception | None = None) -> None:
        self.result = result
        self.status = status
        self.error = error
        self.containers = self
        self.closed = False

    def get(self, _name: str) -> FakeDocker:
        if self.error is not None:
            raise self.error
        return self

    def exec_run(self, command: list[str], *, demux: bool) -> Any:
        assert demux
        assert command[:2] == ["vtysh", "-c"]
        return self.result() if callable(self.result) else self.result

    def close(self) -> None:
        self.closed = True


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeDocker) -> FakeDocker:
    monkeypatch.setattr(docker, "from_env", lambda timeout: fake)
    return fake


def test_container_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeDocker((0, (b"{}\n", b"some warning\n"))))
    assert ContainerVtysh("frr").run("show ip route bgp json") == "{}\n"
    assert fake.closed


@pytest.mark.parametrize(
    ("fake", "what"),
    [
        (FakeDocker(None, error=docker.errors.NotFound("404")), "no such container"),
        (FakeDocker(None, status="exited"), "the container is exited"),
        (FakeDocker(None, error=docker.errors.APIError("409", explanation="conflict")), "docker: conflict"),
        (FakeDocker(None, error=ConnectionResetError("reset")), "no answer from docker: reset"),
        (
            FakeDocker((126, (b'exec: "vtysh": executable file not found in $PATH: unknown\r\n', None))),
            'vtysh failed with exit code 126: exec: "vtysh": executable file not found in $PATH: unknown',
        ),
        (FakeDocker((None, (None, None))), "vtysh failed with exit code -1: it said nothing"),
    ],
)
def test_container_does_not(monkeypatch: pytest.MonkeyPatch, fake: FakeDocker, what: str) -> None:
    install(monkeypatch, fake)
    assert failure(ContainerVtysh("frr")).what == what
    assert fake.closed


def test_container_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow() -> SimpleNamespace:
        time.sleep(1)
        raise ConnectionResetError

    install(monkeypatch, FakeDocker(slow))
    assert "within 0.1 s" in failure(ContainerVtysh("frr", timeout=0.1)).what


def test_parse_upstream() -> None:
    assert parse_upstream("local") == LocalVtysh()
    assert parse_upstream("container:clab-rri-upstream") == ContainerVtysh("clab-rri-upstream")


@pytest.mark.parametrize("text", ["", "Local", "container", "container:", "container:a b", "ssh:router", "local:x"])
def test_no_upstream(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_upstream(text)
    assert caught.value.what == f"{text!r} is not an upstream: local or container:NAME"


def test_cheap_to_import() -> None:
    code = "import sys, rri_bgp.inspect; print({'docker', 'requests', 'rich'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
