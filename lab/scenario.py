"""``make demo``: the lab's main scenario, told step by step with times. Exits 1 at the first thing that is not so.

A route follows a real tunnel: two branches come up, upstream learns the way back and uses it, a rekey sends nothing, a
route taken out of upstream by hand is found, a tunnel that ends takes its routes along.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from lab.harness import Lab, LabError, wait_until

BRANCH1 = ("10.1.0.0/16", "2001:db8:1::/48")
BRANCH2 = ("10.2.0.0/16", "2001:db8:2::/48")
LAN1, SERVER = "10.1.0.10", "server"
NEIGHBOR = "198.51.100.1"


class Story:
    """Prints what happens, with the time since the start, and stops at what is wrong."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = 140
        self._start = time.monotonic()

    def chapter(self, title: str) -> None:
        """Announces what comes."""
        self.console.print(f"\n[bold]{title}[/bold]")

    def check(self, what: str, holds: bool) -> None:
        """Says that something holds.

        Raises:
            LabError: it does not.
        """
        if not holds:
            raise LabError(f"not so: {what}")
        self.console.print(f"  [green]ok[/green] {time.monotonic() - self._start:6.1f} s  {what}")

    def timed(self, what: str, condition: Callable[[], object], deadline: float = 20) -> None:
        """Waits for something and says how long it took."""
        started = time.monotonic()
        wait_until(condition, what, deadline, interval=0.02)
        self.check(f"{what} (after {time.monotonic() - started:.2f} s)", True)


def tell(lab: Lab, story: Story) -> None:
    """The scenario, chapter by chapter."""
    story.chapter("Before: no tunnel, no route, no way")
    before_any_tunnel(lab, story)
    story.chapter("Both branches bring their tunnels up")
    branches_come_up(lab, story)
    story.chapter("Branch 1 rekeys its CHILD_SAs")
    rekey_is_silent(lab, story)
    story.chapter("Somebody takes a route out of upstream by hand")
    tampering_is_found(lab, story)
    story.chapter("Branch 1 ends its tunnels")
    tunnel_goes_down(lab, story)


def before_any_tunnel(lab: Lab, story: Story) -> None:
    """Upstream knows nothing of the branches."""
    story.check("upstream has no prefix from the hub", lab.prefixes() == set())
    story.check(f"a ping from {SERVER} to {LAN1} fails", not lab.ping(SERVER, LAN1))
    inspect(lab, story)


def branches_come_up(lab: Lab, story: Story) -> None:
    """Routes appear with the hub's next hop and the entry's community, best and in the FIB; traffic flows."""
    for branch in ("branch1", "branch2"):
        for child in ("net", "net6"):
            lab.up(branch, child)
    wanted = {*BRANCH1, *BRANCH2}
    story.timed(f"upstream has {', '.join(sorted(wanted))}", lambda: lab.prefixes() == wanted)
    story.timed("all of them are in its FIB", lambda: all(lab.fib(prefix) for prefix in wanted))
    story.console.print(upstream_table(lab, sorted(wanted)))
    way = lab.exec("upstream", "ip", "route", "get", LAN1).split("\n")[0].strip()
    story.check(f"upstream's way to branch 1 is the injected route: {way}", f"via {NEIGHBOR} " in way)
    story.check(f"a ping from {SERVER} to {LAN1} succeeds", lab.ping(SERVER, LAN1, 5))
    inspect(lab, story)


def rekey_is_silent(lab: Lab, story: Story) -> None:
    """New SAs, no UPDATE (rule E6)."""
    updates, old = lab.updates_received(), set(lab.children(state=""))
    for child in ("net", "net6"):
        lab.rekey("branch1", child=child)
    story.timed(
        "the hub has two new CHILD_SAs, and the old ones are gone from its list",
        lambda: len(new := set(lab.children(state=""))) == len(old) and len(new - old) == 2,
    )
    inspect(lab, story)
    story.check(f"a ping from {SERVER} to {LAN1} still succeeds", lab.ping(SERVER, LAN1, 5))
    received = lab.updates_received() - updates
    story.check(f"upstream received {received} UPDATEs meanwhile (FRR's counter)", received == 0)


def tampering_is_found(lab: Lab, story: Story) -> None:
    """The inspector says which route is missing."""
    lab.configure_upstream(
        "router bgp 65000", "address-family ipv4", f"neighbor {NEIGHBOR} prefix-list without-branch1 in"
    )
    story.timed(f"{BRANCH1[0]} is gone from upstream", lambda: BRANCH1[0] not in lab.prefixes())
    code, said = lab.rri("inspect", node="upstream")
    story.console.print(said.rstrip(), markup=False)
    story.check("inspect exits 1 and names the route", code == 1 and BRANCH1[0] in said and "missing" in said)
    lab.configure_upstream(
        "router bgp 65000", "address-family ipv4", f"no neighbor {NEIGHBOR} prefix-list without-branch1 in"
    )
    story.timed(f"{BRANCH1[0]} is back once the filter is gone", lambda: lab.fib(BRANCH1[0]))
    inspect(lab, story)


def tunnel_goes_down(lab: Lab, story: Story) -> None:
    """Its routes go, the other branch's stay."""
    lab.down("branch1", ike="hub")
    story.timed(f"{', '.join(BRANCH1)} are gone, branch 2's stay", lambda: lab.prefixes() == set(BRANCH2))
    story.check(f"a ping from {SERVER} to {LAN1} fails again", not lab.ping(SERVER, LAN1))
    inspect(lab, story)


def inspect(lab: Lab, story: Story) -> None:
    """The inspector finds upstream as it should be."""
    code, said = lab.rri("inspect", "--wait", "10", node="upstream")
    if code != 0:
        story.console.print(said, markup=False)
    story.check(f"inspect exits 0: {said.strip().splitlines()[-1] if said.strip() else ''}", code == 0)


def upstream_table(lab: Lab, prefixes: list[str]) -> Table:
    """What FRR says of the prefixes."""
    table = Table("prefix", "next hop", "communities", "large communities", "best", "FIB", title="FRR at upstream")
    for prefix in prefixes:
        family = "ipv6" if ":" in prefix else "ipv4"
        path = lab.vtysh(f"show bgp {family} unicast {prefix} json")["paths"][0]
        table.add_row(
            prefix,
            next(hop["ip"] for hop in path["nexthops"] if hop.get("used", True)),
            path.get("community", {}).get("string", ""),
            path.get("largeCommunity", {}).get("string", ""),
            "yes" if path.get("bestpath", {}).get("overall") else "no",
            "yes" if lab.fib(prefix) else "no",
        )
    return table


def main() -> int:
    """Deploys the lab, tells the story, removes the lab. Returns the exit code."""
    story, lab = Story(), Lab()
    try:
        with lab.deployed():
            story.check(f"the lab is up; ESP: {lab.esp.value}", True)
            tell(lab, story)
    except LabError as error:
        story.console.print(f"[red]{error}[/red]\nthe logs of all nodes are in .lab/logs")
        return 1
    story.check("the lab is removed; all is as it should be", True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
