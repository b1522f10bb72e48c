"""Rule G2: who holds the virtual address, in every state and at every word; and keepalived's words."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from rri_bgp.model import Address
from rri_bgp.rri.entries import Group
from rri_bgp.surroundings.redundancy import (
    ROLES,
    GroupState,
    Notice,
    Notices,
    Redundancy,
    Role,
    Witness,
    read_notice,
)

VIRTUAL = ip_address("192.168.0.3")
VIRTUAL6 = ip_address("2001:db8::3")
HERE: frozenset[Address] = frozenset({VIRTUAL})
AWAY: frozenset[Address] = frozenset()
MASTER = Notice("VI_1", Witness.MASTER)
OTHER = Notice("VI_1", Witness.OTHER)


def groups(*addresses: Address) -> dict[str, Group]:
    return {"group1": Group("group1", addresses or (VIRTUAL,))}


def redundancy(instance: str = "") -> Redundancy:
    made = Redundancy()
    made.take_groups(groups(), {"group1": instance} if instance else {})
    return made


def after(made: Redundancy, *told: frozenset[Address] | Notice) -> Role:
    for one in told:
        if isinstance(one, Notice):
            made.take_notices(["group1"], [one])
        else:
            made.take_addresses(one)
    (state,) = made.states()
    return state.role


# ---- the table


def test_g2_every_word_is_known_in_every_role() -> None:
    assert {role: set(row) for role, row in ROLES.items()} == {role: set(Witness) for role in Role}


@pytest.mark.parametrize("role", Role)
def test_g2_a_loss_ends_holding_at_once(role: Role) -> None:
    assert ROLES[role][Witness.AWAY] is not Role.HOLDER
    assert ROLES[role][Witness.OTHER] is not Role.HOLDER


def test_g2_only_agreement_makes_a_holder() -> None:
    ways = {(role, word) for role, row in ROLES.items() for word, after in row.items() if after is Role.HOLDER}
    assert ways == {
        (Role.UNKNOWN, Witness.HERE),  # the first look
        (Role.PROMISED, Witness.HERE),
        (Role.UNCONFIRMED, Witness.MASTER),
        (Role.HOLDER, Witness.HERE),
        (Role.HOLDER, Witness.MASTER),
    }


# ---- the kernel alone


def test_g2_without_keepalived_the_address_alone_decides() -> None:
    made = redundancy()
    assert made.held == frozenset()
    assert after(made, HERE) is Role.HOLDER
    assert made.held == {"group1"}
    assert after(made, AWAY) is Role.PROMISED
    assert made.held == frozenset()
    assert after(made, HERE) is Role.HOLDER


def test_g2_the_first_address_decides_for_both_families() -> None:
    made = Redundancy()
    made.take_groups(groups(VIRTUAL, VIRTUAL6), {})
    made.take_addresses(frozenset({VIRTUAL6}))
    assert made.held == frozenset()
    made.take_addresses(frozenset({VIRTUAL}))
    assert made.held == {"group1"}


# ---- with keepalived


def test_g2_keepalived_adds_the_address_first_and_then_says_master() -> None:
    made = redundancy("VI_1")
    assert after(made, AWAY) is Role.STANDBY
    assert after(made, HERE) is Role.UNCONFIRMED
    assert after(made, MASTER) is Role.HOLDER


def test_g2_the_other_order_is_as_good() -> None:
    assert after(redundancy("VI_1"), AWAY, MASTER) is Role.PROMISED
    assert after(redundancy("VI_1"), AWAY, MASTER, HERE) is Role.HOLDER


@pytest.mark.parametrize("loss", [AWAY, OTHER], ids=["address", "word"])
def test_g2_either_loss_ends_it(loss: frozenset[Address] | Notice) -> None:
    made = redundancy("VI_1")
    assert after(made, HERE, MASTER) is Role.HOLDER
    after(made, loss)
    assert made.held == frozenset()


def test_g2_an_address_that_comes_back_while_it_is_master_is_enough() -> None:
    assert after(redundancy("VI_1"), HERE, MASTER, AWAY, HERE) is Role.HOLDER


def test_g2_an_address_that_comes_back_after_backup_is_not() -> None:
    assert after(redundancy("VI_1"), HERE, MASTER, AWAY, OTHER, HERE) is Role.UNCONFIRMED


def test_g2_g7_the_first_look_decides_alone() -> None:
    assert after(redundancy("VI_1"), HERE) is Role.HOLDER
    assert after(redundancy("VI_1"), AWAY) is Role.STANDBY


def test_g2_g7_what_keepalived_said_before_the_first_look_counts() -> None:
    assert after(redundancy("VI_1"), OTHER, HERE) is Role.UNCONFIRMED
    assert after(redundancy("VI_1"), MASTER, HERE) is Role.HOLDER


def test_g2_another_instance_has_no_say() -> None:
    made = redundancy("VI_1")
    assert after(made, HERE, MASTER, Notice("VI_2", Witness.OTHER)) is Role.HOLDER
    made.take_notices(["group2"], [OTHER])
    assert after(made) is Role.HOLDER


# ---- another policy


def test_g2_a_reload_that_leaves_a_group_alone_leaves_its_role() -> None:
    made = redundancy("VI_1")
    assert after(made, AWAY, MASTER, HERE) is Role.HOLDER
    after(made, OTHER)
    made.take_groups(groups(VIRTUAL, VIRTUAL6), {"group1": "VI_1"})
    assert after(made) is Role.UNCONFIRMED


def test_g2_a_group_that_is_new_or_changed_is_looked_at_at_once() -> None:
    made = redundancy("VI_1")
    after(made, HERE, OTHER)
    made.take_groups(groups(), {"group1": "VI_2"})
    assert after(made) is Role.HOLDER
    made.take_groups(groups(ip_address("192.168.0.4")), {"group1": "VI_2"})
    assert after(made) is Role.STANDBY
    made.take_groups({}, {})
    assert made.held == frozenset()
    assert made.states() == ()


# ---- in words


@pytest.mark.parametrize(
    ("instance", "told", "text"),
    [
        ("VI_1", (), "whether 192.168.0.3 is here is not known yet"),
        ("VI_1", (HERE,), "192.168.0.3 is here"),
        ("VI_1", (AWAY,), "192.168.0.3 is not here"),
        ("VI_1", (HERE, OTHER), "192.168.0.3 is here, but keepalived does not say that VI_1 is MASTER"),
        ("VI_1", (AWAY, MASTER), "keepalived says that VI_1 is MASTER, but 192.168.0.3 is not here"),
        ("", (AWAY,), "192.168.0.3 is not here"),
    ],
)
def test_g2_a_group_says_why(instance: str, told: Iterable[frozenset[Address] | Notice], text: str) -> None:
    made = redundancy(instance)
    role = after(made, *told)
    assert made.states() == (GroupState("group1", role, VIRTUAL, instance),)
    assert made.states()[0].text == text


# ---- keepalived's lines


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        (b'INSTANCE "VI_1" MASTER 100', MASTER),
        (b'INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100', MASTER),
        (b'INSTANCE "VI_1" MASTER_PRIORITY 101', MASTER),
        (b'INSTANCE "VI_1" BACKUP 100', OTHER),
        (b'INSTANCE "VI_1" FAULT 100', OTHER),
        (b'INSTANCE "VI_1" STOP 100', OTHER),
        (b'INSTANCE "VI_1" DELETED 0', OTHER),
        (b'INSTANCE "VI_1" BACKUP_PRIORITY 90', OTHER),
        (b'INSTANCE "VI_1" BACKUP', OTHER),
        (b'INSTANCE "a "b" c" MASTER 1', Notice('a "b" c', Witness.MASTER)),
        (b'INSTANCE "\xff" MASTER 1', Notice("�", Witness.MASTER)),
        (b'GROUP "VG_1" MASTER 0', None),
    ],
)
def test_g2_a_line_of_keepalived(line: bytes, notice: Notice | None) -> None:
    assert read_notice(line) == notice


@pytest.mark.parametrize(
    "line",
    [b"", b"MASTER", b'INSTANCE "VI_1" MAYBE 100', b'INSTANCE "VI_1" MASTER 100 x', b'VS [192.0.2.1]:tcp:80 UP', b"\0"],
)  # fmt: skip
def test_g2_junk_is_named(line: bytes) -> None:
    with pytest.raises(ValueError, match="keepalived"):
        read_notice(line)


def test_g2_lines_come_in_pieces() -> None:
    notices = Notices()
    line = b'INSTANCE "VI_1" MASTER 100\n'
    found = [notice for byte in line + line for notice in notices.feed(bytes([byte]))]
    assert (found, notices.junk) == ([MASTER, MASTER], 0)


def test_g2_junk_is_counted_and_what_follows_it_is_read() -> None:
    notices = Notices()
    assert notices.feed(b'junk\n\nINSTANCE "VI_1" BACKUP 100\nGROUP "VG" FAULT 0\n') == [OTHER]
    assert notices.junk == 2


def test_g2_a_line_without_an_end_is_bounded() -> None:
    notices = Notices()
    for _ in range(100):
        assert notices.feed(b"x" * 1000) == []
    assert len(notices._rest) <= 1024
    assert notices.feed(b'MASTER 100\nINSTANCE "VI_1" MASTER 100\n') == [MASTER]
    assert notices.junk == 1
    assert notices.feed(b'INSTANCE "VI_1" BACKUP 100\n') == [OTHER]
