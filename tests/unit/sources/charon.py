"""The other end of a VICI socket for tests of the source: it answers from what the test says the SAs are.

It speaks through strongSwan's own Python codec, so the source is not tested against its own mistakes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vici.protocol import FiniteStream, Message, Packet

__all__ = ["Charon", "serving"]


@dataclass
class Charon:
    """``sas`` by IKE unique id, each a ``list-sa`` message; ``busy`` are those whose look does not come back."""

    path: Path
    sas: dict[int, dict[str, Any]] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    lists: int = 0
    """Full listings so far."""
    scans: int = 0
    """Listings so far that would not wait."""
    unknown: set[str] = field(default_factory=set)
    """Events that it does not know."""
    eager: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Events that it sends before it confirms a registration."""
    _listeners: list[asyncio.StreamWriter] = field(default_factory=list)
    _connections: list[asyncio.StreamWriter] = field(default_factory=list)

    def say(self, event: str, message: dict[str, Any]) -> None:
        """Sends an event to whoever has registered for it."""
        for writer in self._listeners:
            _send(writer, Packet._named_request(Packet.EVENT, event, Message.serialize(message)))

    def babble(self, data: bytes) -> None:
        """Sends bytes to the listeners."""
        for writer in self._listeners:
            writer.write(data)

    def hang_up(self) -> None:
        """Closes all connections."""
        for writer in self._connections:
            writer.close()
        self._connections.clear()
        self._listeners.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._connections.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                await self._answer(await reader.readexactly(length), writer)

    async def _answer(self, packet: bytes, writer: asyncio.StreamWriter) -> None:
        kind, name, payload = packet[0], packet[2 : 2 + packet[1]].decode(), packet[2 + packet[1] :]
        if kind == Packet.EVENT_REGISTER:
            if name != "list-sa" and writer not in self._listeners:
                self._listeners.append(writer)
            for event, message in self.eager if name != "list-sa" else ():
                _send(writer, Packet._named_request(Packet.EVENT, event, Message.serialize(message)))
            _send(writer, bytes([Packet.EVENT_UNKNOWN if name in self.unknown else Packet.EVENT_CONFIRM]))
            return
        assert (kind, name) == (Packet.CMD_REQUEST, "list-sas")
        arguments = Message.deserialize(FiniteStream(payload))
        await self._list_sas(
            int(arguments["ike-id"]) if "ike-id" in arguments else None, "noblock" in arguments, writer
        )

    async def _list_sas(self, ike_id: int | None, is_scan: bool, writer: asyncio.StreamWriter) -> None:
        self.lists += ike_id is None and not is_scan
        self.scans += is_scan
        if ike_id in self.busy:
            await asyncio.Event().wait()
        for key, message in self.sas.items():
            if ike_id in (None, key) and not (is_scan and key in self.busy):
                _send(writer, Packet._named_request(Packet.EVENT, "list-sa", Message.serialize(message)))
        _send(writer, bytes([Packet.CMD_RESPONSE]))


def _send(writer: asyncio.StreamWriter, packet: bytes) -> None:
    writer.write(len(packet).to_bytes(4, "big") + packet)


@contextlib.asynccontextmanager
async def serving(charon: Charon) -> AsyncIterator[None]:
    """Listens at its path; connections are closed and the socket is removed at the end, as when charon dies."""
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(charon.serve(reader, writer)))

    server = await asyncio.start_unix_server(connected, charon.path)
    try:
        yield
    finally:
        server.close()
        charon.hang_up()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        charon.path.unlink(missing_ok=True)
