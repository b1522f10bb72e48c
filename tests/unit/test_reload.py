"""Reloading: one change, nothing on a mistake, and back to the last good policy where nobody confirms."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rri_bgp.controller import Controller
from rri_bgp.errors import PolicyError, UsageError
from rri_bgp.policy import Config, load
from rri_bgp.reload import Reloaded, Reloader
from rri_bgp.rri.entries import Policy
from rri_bgp.surroundings.lookout import LookoutStatus
from tests.unit.control.small import Quiet, until
from tests.values import pfx, sa

POLICY = """\
version: 1
local: {{as: 65000, next-hop: 198.51.100.1}}
sources: [vici: {{}}]
sinks: {{exabgp: {{}}}}
crypto-maps:
  mymap:
    entries:
      - {{seq: 10, type: dynamic, match: {{connection: branch1}}, reverse-route: {{tag: {first}}}}}
      - {{seq: 20, type: dynamic, match: {{connection: branch2}}, reverse-route: {{tag: {second}}}}}
"""
FIRST, SECOND = pfx("10.1.0.0/16"), pfx("10.2.0.0/16")


def write(file: Path, first: int = 100, second: int = 200) -> Path:
    file.write_text(POLICY.format(first=first, second=second))
    return file


def edit(file: Path, *changes: tuple[str, str]) -> None:
    """Another text in each place."""
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "hub.yaml")


def hub(file: Path) -> tuple[Controller, Config]:
    """Two branches that are up."""
    config = load(file)
    controller = Controller(config.policy, [Quiet()])
    controller.snapshot("vici", [sa(1, "10.1.0.0/16"), sa(2, "10.2.0.0/16", connection="branch2")])
    return controller, config


@contextlib.asynccontextmanager
async def running(reloader: Reloader) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        going_back = group.create_task(reloader.run())
        yield
        going_back.cancel()


def tag(controller: Controller, connection: int = 1) -> int:
    """What a branch's route has as its tag upstream."""
    path = controller.rib.path(FIRST if connection == 1 else SECOND)
    assert path is not None
    return path.attributes.large_communities[0][2]


def changed(done: Reloaded) -> set[str]:
    return {str(destination) for destination in done.before}


async def test_e4_a_reload_is_one_change_of_what_differs(file: Path) -> None:
    controller, config = hub(file)
    write(file, second=201)
    done = await Reloader(controller, config).reload()
    assert (changed(done), done.routes, done.later) == ({"10.2.0.0/16"}, 2, ())
    before, after = done.before[SECOND], done.after[SECOND]
    assert before is not None
    assert after is not None
    assert [route.path.attributes.communities for route in (before, after)] == [((65000, 200),), ((65000, 201),)]


async def test_a_reload_of_the_same_changes_nothing(file: Path) -> None:
    controller, config = hub(file)
    assert changed(await Reloader(controller, config).reload()) == set()


async def test_an_sa_that_comes_meanwhile_is_no_change_of_the_policy(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller, config = hub(file)
    late = sa(3, "10.3.0.0/16")

    change = controller.change_policy

    async def slowly(policy: Policy) -> bool:
        controller.update("vici", {late.key: late})
        return await change(policy)

    monkeypatch.setattr(controller, "change_policy", slowly)
    write(file, first=101)
    done = await Reloader(controller, config).reload()
    assert (changed(done), done.routes) == ({"10.1.0.0/16", "10.3.0.0/16"}, 3)
    assert done.before[pfx("10.3.0.0/16")] is not None, "it was there before the policy was another"


async def test_names_are_looked_up_before_the_policy_is_another(file: Path) -> None:
    controller, config = hub(file)
    told: list[str] = []

    class Around:
        async def prepare(self, config: Config) -> None:
            told.append(f"prepare, tag {tag(controller)}")

        def take_config(self, config: Config) -> None:
            told.append(f"take, tag {tag(controller)}")

        def status(self) -> LookoutStatus:
            raise AssertionError

    write(file, first=101)
    await Reloader(controller, config, Around()).reload()
    assert (told, tag(controller)) == (["prepare, tag 100", "take, tag 101"], 101)


async def test_a_policy_with_a_mistake_is_not_taken_and_the_one_before_it_holds(file: Path) -> None:
    controller, config = hub(file)
    reloader = Reloader(controller, config)
    edit(file, ("tag: 100", "tag: minus"))
    with pytest.raises(PolicyError):
        await reloader.reload()
    assert f"{file}:8:" in controller.policy_error
    assert tag(controller) == 100
    write(file, first=101)
    await reloader.reload()
    assert (controller.policy_error, tag(controller)) == ("", 101)


async def test_no_line_of_a_file_that_somebody_named_is_repeated(file: Path, tmp_path: Path) -> None:
    controller, config = hub(file)
    secret = tmp_path / "secret"
    secret.write_text("root:$6$salt$hash:19000:0:99999:7:::\n")
    with pytest.raises(PolicyError) as caught:
        await Reloader(controller, config).reload(secret)
    text = f"{secret}: the policy is wrong, or cannot be read\n  hint: rri-bgp check {secret}"
    assert (str(caught.value), controller.policy_error) == (text, text)


async def test_what_is_no_regular_file_is_not_read(file: Path, tmp_path: Path) -> None:
    controller, config = hub(file)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with asyncio.timeout(10):
        with pytest.raises(PolicyError):
            await Reloader(controller, config).reload(fifo)


async def test_another_file_holds_until_the_next_reload(file: Path, tmp_path: Path) -> None:
    controller, config = hub(file)
    reloader = Reloader(controller, config)
    other = write(tmp_path / "other.yaml", first=101)
    await reloader.reload(other)
    assert (reloader.running.file, tag(controller)) == (other, 101)
    await reloader.reload()
    assert (reloader.running.file, tag(controller)) == (file, 100)


async def test_what_is_taken_at_the_next_start_only_is_named(file: Path) -> None:
    controller, config = hub(file)
    more = "{exabgp: {on-exit: withdraw}}\ncontrol: {socket: /run/other/control.sock}"
    edit(file, ("vici: {}", "vici: {resync: 5}"), ("{exabgp: {}}", more))
    assert (await Reloader(controller, config).reload()).later == ("sources", "sinks", "control")


@pytest.mark.parametrize("more", ["kernel: {}", "hand-off: {table: 4242}"])
async def test_another_sink_is_for_the_next_start(file: Path, more: str) -> None:
    controller, config = hub(file)
    edit(file, ("{exabgp: {}}", f"{{exabgp: {{}}, {more}}}"))
    assert (await Reloader(controller, config).reload()).later == ("sinks",)


# Confirmation


async def test_without_a_confirmation_the_last_good_policy_comes_back_by_itself(file: Path) -> None:
    controller, config = hub(file)
    reloader = Reloader(controller, config)
    async with running(reloader):
        write(file, first=101)
        await reloader.reload(confirm=0.05)
        assert tag(controller) == 101
        await until(lambda: tag(controller) == 100)
        await until(lambda: controller.policy_error != "")
        assert (controller.policy_error, reloader.seconds_left) == (f"{file} was not confirmed in time", None)
        await reloader.reload()
        assert (controller.policy_error, tag(controller)) == ("", 101)


async def test_what_is_confirmed_stays(file: Path) -> None:
    controller, config = hub(file)
    reloader = Reloader(controller, config)
    async with running(reloader):
        write(file, first=101)
        await reloader.reload(confirm=1000)
        left = reloader.seconds_left
        assert left is not None
        assert 900 < left <= 1000
        assert reloader.confirm().file == file
        assert (reloader.seconds_left, tag(controller)) == (None, 101)
    with pytest.raises(UsageError, match="no policy waits for a confirmation"):
        reloader.confirm()


async def test_while_one_waits_a_reload_that_would_confirm_it_silently_is_refused(file: Path) -> None:
    controller, config = hub(file)
    reloader = Reloader(controller, config)
    await reloader.reload(confirm=1000)
    with pytest.raises(UsageError) as caught:
        await reloader.reload()
    assert str(caught.value) == (
        "a policy waits for its confirmation, for 1000 s more\n"
        "  hint: `rri-bgp confirm` keeps it; `rri-bgp reload --confirm SECONDS` puts another in its place"
    )


async def test_one_that_takes_the_place_of_one_that_waits_goes_back_to_the_same_good_one(file: Path) -> None:
    controller, config = hub(file)
    reloader = Reloader(controller, config)
    async with running(reloader):
        write(file, first=101)
        await reloader.reload(confirm=1000)
        write(file, first=102)
        await reloader.reload(confirm=0.05)
        assert tag(controller) == 102
        await until(lambda: tag(controller) == 100)


async def test_a_mistake_while_one_waits_leaves_it_waiting(file: Path) -> None:
    controller, config = hub(file)
    reloader = Reloader(controller, config)
    write(file, first=101)
    await reloader.reload(confirm=1000)
    edit(file, ("version: 1", "version: 2"))
    with pytest.raises(PolicyError):
        await reloader.reload(confirm=1000)
    assert (tag(controller), reloader.seconds_left is None) == (101, False)
