"""The files in ``packaging/``: systemd reads the units, and our own programs read the examples.

Unit files are checked as copies whose programs exist on this machine.
"""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rri_bgp.cli.attach import attach
from rri_bgp.policy import load
from rri_bgp.policy.config import KernelSettings, OnExit

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"
SYSTEMD = PACKAGING / "systemd"

EXPOSURE = {"rri-bgp.service": 1.0, "rri-exabgp.service": 1.5}
"""What `systemd-analyze security` of systemd 252 says at most (docs/results/systemd.md)."""


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("systemd-analyze is missing: install the Debian package `systemd` (apt-get install systemd)")
    return subprocess.run([program, "--no-pager", *arguments], capture_output=True, text=True, timeout=60, check=False)


def _unit(name: str) -> configparser.ConfigParser:
    """A unit; of a key that is given several times the last is kept."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(SYSTEMD / name)
    return parser


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, beside each other, with programs that exist."""
    for name in EXPOSURE:
        text = (SYSTEMD / name).read_text()
        text = re.sub(r"(?m)^ExecStart=/opt/rri-bgp/bin/\S+", f"ExecStart={sys.executable}", text)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", EXPOSURE)
def test_systemd_reads_the_unit_without_a_word(units: Path, name: str) -> None:
    result = _analyze("verify", "--man=no", str(units / name))
    about_ours = [line for line in (result.stdout + result.stderr).splitlines() if "rri-" in line]
    assert not about_ours
    assert result.returncode == 0, result.stderr


def test_systemd_would_say_what_is_wrong(units: Path) -> None:
    """So that the test above can fail: a setting that does not exist."""
    broken = units / "rri-bgp.service"
    broken.write_text(broken.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in _analyze("verify", "--man=no", str(broken)).stderr


@pytest.mark.parametrize(("name", "exposure"), EXPOSURE.items())
def test_the_unit_is_no_more_exposed_than_measured(units: Path, name: str, exposure: float) -> None:
    result = _analyze("security", "--offline=true", f"--threshold={exposure * 10:.0f}", str(units / name))
    assert result.returncode == 0, result.stdout
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert level is not None
    assert float(level[1]) <= exposure, result.stdout


@pytest.mark.parametrize("name", EXPOSURE)
def test_neither_unit_has_a_capability_or_gives_up(name: str) -> None:
    unit = _unit(name)
    service = unit["Service"]
    assert service["CapabilityBoundingSet"] == ""
    assert service["AmbientCapabilities"] == ""
    assert service["Restart"] == "always"  # ExaBGP ends with code 0 when it gives up on its helper
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize("name", ["xfrm.conf", "kernel.conf"])
def test_systemd_reads_the_drop_in_for_the_kernels_sas_and_the_one_for_its_routes(units: Path, name: str) -> None:
    """One capability more, and in the host's user namespace, where it counts."""
    folder = units / "rri-bgp.service.d"
    folder.mkdir()
    shutil.copy(SYSTEMD / name, folder)
    result = _analyze("verify", "--man=no", str(units / "rri-bgp.service"))
    assert name not in result.stdout + result.stderr
    assert result.returncode == 0, result.stderr
    service = _unit(name)["Service"]
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == "CAP_NET_ADMIN"
    assert service["PrivateUsers"] == "no"


def test_g6_ip_has_a_name_for_our_protocol_number() -> None:
    text = (PACKAGING / "iproute2/rt_protos.d/rri.conf").read_text()
    assert [line.split() for line in text.splitlines() if not line.startswith("#")] == [
        [str(KernelSettings().protocol), "rri"]
    ]


def test_neither_unit_waits_for_the_other() -> None:
    """The controller is ready only once ExaBGP has the table: an order would be a dead-lock."""
    for name, other in (("rri-bgp.service", "rri-exabgp"), ("rri-exabgp.service", "rri-bgp")):
        unit = _unit(name)["Unit"]
        assert not any(other in unit.get(key, "") for key in ("After", "Before", "Requires", "BindsTo"))
    assert "rri-bgp.service" in _unit("rri-exabgp.service")["Unit"]["Wants"].split()
    assert "WantedBy" not in _unit("rri-bgp.service")["Install"]  # the boot would wait for it


def test_only_the_controller_reaches_charon() -> None:
    controller, exabgp = (_unit(name)["Service"] for name in EXPOSURE)
    assert (controller["Group"], controller["SupplementaryGroups"]) == ("rri-bgp", "rri-vici")
    assert (exabgp["Group"], exabgp["SupplementaryGroups"]) == ("exabgp", "rri-bgp")
    assert re.search(r"(?m)^ +group = rri-vici$", (PACKAGING / "strongswan/rri-bgp.conf").read_text())
    sysusers = (PACKAGING / "sysusers.d/rri-bgp.conf").read_text()
    made = {tuple(line.split()[:2]) for line in sysusers.splitlines() if not line.startswith("#")}
    assert made == {("g", "rri-vici"), ("u", "rri-bgp"), ("u", "exabgp")}


def test_g1_g2_the_controller_sees_this_machines_addresses_and_sends_nothing() -> None:
    """In a network of its own, or without netlink, it would see none, and these rules would do nothing."""
    service = _unit("rri-bgp.service")["Service"]
    assert service["PrivateNetwork"] == "no"
    assert service["RestrictAddressFamilies"].split() == ["AF_UNIX", "AF_NETLINK"]
    assert service["IPAddressDeny"] == "any"


def test_g2_the_notify_fifo_is_the_controllers_own() -> None:
    text = (PACKAGING / "tmpfiles.d/rri-bgp.conf").read_text()
    (line,) = (line for line in text.splitlines() if not line.startswith("#"))
    assert line.split() == ["p", "/run/rri-bgp-vrrp.fifo", "0600", "rri-bgp", "rri-bgp", "-"]
    assert "vrrp_notify_fifo /run/rri-bgp-vrrp.fifo" in (ROOT / "docs/howto/redundancy.md").read_text()


def test_the_example_policy_loads_without_a_warning() -> None:
    settings = load(SYSTEMD / "rri-bgp.yaml")
    assert not settings.warnings
    assert settings.exabgp is not None
    assert settings.exabgp.on_exit is OnExit.KEEP


def test_controller_and_relay_meet_in_the_runtime_directory() -> None:
    settings = load(SYSTEMD / "rri-bgp.yaml")
    default = next(option for option in attach.params if option.name == "socket")
    assert isinstance(default, click.Option)
    assert settings.exabgp is not None
    assert settings.exabgp.listen is not None
    assert settings.exabgp.listen == default.default
    directory = Path("/run") / _unit("rri-bgp.service")["Service"]["RuntimeDirectory"]
    assert settings.exabgp.listen.parent == settings.control.socket.parent == directory


def _validate(config: Path) -> None:
    """As `exabgp validate` does it, in the checkout."""
    result = subprocess.run(
        [sys.executable, "-m", "exabgp", "validate", "-n", str(config)],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_exabgp_takes_the_example(tmp_path: Path) -> None:
    text = (SYSTEMD / "exabgp.conf").read_text()
    assert "run /opt/rri-bgp/bin/rri-bgp attach;" in text
    config = tmp_path / "exabgp.conf"
    config.write_text(text.replace("/opt/rri-bgp/bin/rri-bgp", sys.executable))
    _validate(config)


def test_exabgp_refuses_a_wrong_one(tmp_path: Path) -> None:
    """So that the tests around it can fail."""
    config = tmp_path / "exabgp.conf"
    config.write_text((SYSTEMD / "exabgp.conf").read_text().replace("manual-eor", "manual-eror"))
    with pytest.raises(AssertionError):
        _validate(config)


def test_exabgp_takes_the_one_in_the_checkout(tmp_path: Path) -> None:
    text = (ROOT / "exabgp.conf").read_text()
    config = tmp_path / "exabgp.conf"
    config.write_text(re.sub(r"(?m)^( *run) \S+", rf"\1 {sys.executable}", text))
    _validate(config)
