"""All peers of a measurement send the same routes."""

from __future__ import annotations

import json
from pathlib import Path

from bench import load
from bench.stub import answers_to, prefixes_in
from rri_bgp.policy import load as load_policy
from rri_bgp.rri import Rib
from rri_bgp.sinks.exabgp.commands import Verb
from rri_bgp.sources.recording import read

COUNT = 120


def test_the_policy_makes_of_the_recording_what_the_scripts_send(tmp_path: Path) -> None:
    recording = load.recording(
        tmp_path / "r.jsonl", [load.Step(0.0), load.Step(2.0, [load.sa(n) for n in range(COUNT)], whole=True)]
    )
    rib = Rib(load_policy(load.write_policy(tmp_path, recording)).policy)
    moments = list(read(recording, load.SOURCE))
    assert [(moment.at, moment.is_snapshot) for moment in moments] == [(0.0, False), (2.0, True)]
    for moment in moments:
        rib.update(moment.changes)
    assert {route.destination: route.path for route in rib.routes()} == {
        load.prefix_of(number): load.PATH for number in range(COUNT)
    }


def test_a_rekeyed_sa_has_another_id_and_the_same_route(tmp_path: Path) -> None:
    old, new = load.sa(7), load.sa(7, 1)
    assert (old.key.uniqueid, new.key.uniqueid) == (load.uniqueid(7), load.uniqueid(7, 1))
    assert old.remote_ts == new.remote_ts
    recording = load.recording(tmp_path / "r.jsonl", [load.Step(0.0, [new], gone=(load.uniqueid(7),))])
    assert next(read(recording, load.SOURCE)).changes == {new.key: new, old.key: None}


def test_scripts_group_or_not(tmp_path: Path) -> None:
    grouped, single = load.grouped(Verb.ANNOUNCE, range(COUNT)), load.single(Verb.WITHDRAW, range(COUNT))
    assert [prefixes_in(line.encode()) for line in grouped] == [49, 49, 22]
    words = "next-hop 198.51.100.1 community [ 65000:100 ] large-community [ 65000:1:100 ]"
    assert (len(single), single[1]) == (COUNT, f"withdraw route 10.0.0.1/32 {words}")
    file = load.script(tmp_path / "s.jsonl", [(0.5, single[:1])])
    assert json.loads(file.read_text()) == {"at": 0.5, "lines": single[:1]}


def test_the_stub_answers_as_exabgp_does() -> None:
    assert answers_to(b"reset") == b""
    assert answers_to(b"enable-ack") == answers_to(b"announce attributes x nlri 10.0.0.0/8") == b"done\n"
    assert answers_to(b"version").endswith(b"\ndone\n")
    assert prefixes_in(b"withdraw attributes next-hop 192.0.2.1 nlri 10.0.0.0/8 10.1.0.0/16") == -2
    assert prefixes_in(b"show adj-rib out") == 0
