"""One connection to charon's VICI socket.

Rules of this file: packets are told apart by their type, never by when they come, so an event is never taken for an
answer. A connection is for events or for commands, not for both: a command that waits for a busy IKE SA then holds up
nothing else. One that has failed in any way is closed and never used again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rri_bgp.errors import UnreachableError, ViciError
from rri_bgp.sources.vici.wire import Framer, Message, Packet, PacketType, decode_message, encode_message, encode_packet

__all__ = ["ANSWER_TIMEOUT", "Connection", "connect"]

ANSWER_TIMEOUT = 30.0
"""Seconds for the next packet of an answer. charon waits for an IKE SA that is busy, with RADIUS for instance."""

_CHUNK = 65536


@asynccontextmanager
async def connect(path: Path, events: Sequence[str], patience: float = ANSWER_TIMEOUT) -> AsyncIterator[Connection]:
    """A connection with these events registered.

    Raises:
        UnreachableError: no such socket, no right to it, or nobody listens.
        ViciError: charon does not know an event.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        hint = "is charon running, with its vici plugin, and may this user read its socket?"
        raise UnreachableError(_reason(error), where=str(path), hint=hint) from None
    try:
        connection = Connection(reader, writer, patience)
        await connection.register(events)
        yield connection
    finally:
        writer.close()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


class Connection:
    """See ``connect``. Its methods raise ``ViciError`` for nonsense and ``UnreachableError`` for silence or an end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._framer = Framer()
        self._packets: deque[Packet] = deque()
        self._early: deque[Packet] = deque()
        """Events that came while we waited for a confirmation."""

    async def register(self, events: Sequence[str]) -> None:
        """Asks for events, one by one. Those that come before all are registered are kept."""
        for name in events:
            self._send(Packet(PacketType.EVENT_REGISTER, name))
            while (packet := await self._next(self._patience)).kind is PacketType.EVENT:
                self._early.append(packet)
            if packet.kind is not PacketType.EVENT_CONFIRM:
                raise ViciError(f"charon does not know the event {name}" if _is_unknown(packet) else _surprise(packet))

    async def event(self) -> tuple[str, Message]:
        """The next event, however long it takes."""
        packet = self._early.popleft() if self._early else await self._next(None)
        if packet.kind is not PacketType.EVENT:
            raise ViciError(_surprise(packet))
        return packet.name, decode_message(packet.payload)

    async def stream(self, command: str, event: str, arguments: Message, holding: bytes = b"") -> list[Message]:
        """Runs a command that answers with a stream of events; returns their messages, those that hold these bytes."""
        self._send(Packet(PacketType.CMD_REQUEST, command, encode_message(arguments)))
        found: list[Message] = []
        while (packet := await self._next(self._patience)).kind is PacketType.EVENT:
            if packet.name == event and holding in packet.payload:
                found.append(decode_message(packet.payload))
        if packet.kind is not PacketType.CMD_RESPONSE:
            raise ViciError(f"charon does not know the command {command}" if _is_unknown(packet) else _surprise(packet))
        answer = decode_message(packet.payload)
        if answer.get("success", "yes") != "yes":
            raise ViciError(f"charon refused {command}: {answer.get('errmsg', 'it does not say why')}")
        return found

    def _send(self, packet: Packet) -> None:
        self._writer.write(encode_packet(packet))

    async def _next(self, patience: float | None) -> Packet:
        try:
            async with asyncio.timeout(patience):
                while not self._packets:
                    data = await self._reader.read(_CHUNK)
                    if not data:
                        raise UnreachableError("charon closed the connection")
                    self._packets.extend(self._framer.feed(data))
        except TimeoutError:
            raise UnreachableError(f"charon has not answered for {patience:g} s") from None
        except OSError as error:
            raise UnreachableError(_reason(error)) from None
        return self._packets.popleft()


def _is_unknown(packet: Packet) -> bool:
    return packet.kind in (PacketType.EVENT_UNKNOWN, PacketType.CMD_UNKNOWN)


def _surprise(packet: Packet) -> str:
    return f"{packet.kind.name} where it cannot stand"
