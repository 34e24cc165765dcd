# SPDX-License-Identifier: MPL-2.0
# The types of the classes that are written in Rust; their documentation is there, and `help()` shows it.

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import ClassVar, Self, Unpack, final

from typing_extensions import Buffer

from .options import ObjectOptions
from .receiver import ReceiverEvent
from .sender import SenderEvent

__all__ = [
    "Batch",
    "EventListener",
    "FdtPublished",
    "FdtRead",
    "FdtUnusable",
    "KernelDropped",
    "LCTHeader",
    "LimitReached",
    "LostObject",
    "MultiReceiver",
    "NotWrittenObject",
    "ObjectDescription",
    "ObjectFailed",
    "ObjectProgress",
    "ObjectStarted",
    "ObjectWriterBuilder",
    "Oti",
    "ReceivedObject",
    "Receiver",
    "ReceiverConfig",
    "ReceiverStatistics",
    "SendSocket",
    "Sender",
    "SenderConfig",
    "SenderStatistics",
    "SessionClosed",
    "SessionOpened",
    "SessionStatistics",
    "TransferEnded",
    "TransferProgress",
    "TransferStarted",
    "TransferWithdrawn",
    "UDPEndpoint",
    "WithdrawnObject",
]

@final
class Oti:
    encoding_symbol_length: int
    maximum_source_block_length: int
    max_number_of_parity_symbols: int
    parity_symbols_percentage: float | None
    inband_fti: bool
    symbols_per_packet: int
    finite_field_bits: int
    fec_encoding_id: int
    fec_instance_id: int
    def __new__(cls) -> Self: ...
    @staticmethod
    def new_no_code(encoding_symbol_length: int, maximum_source_block_length: int) -> Oti: ...
    @staticmethod
    def new_reed_solomon_rs28(
        encoding_symbol_length: int, maximum_source_block_length: int, max_number_of_parity_symbols: int
    ) -> Oti: ...
    @staticmethod
    def new_reed_solomon_rs28_under_specified(
        encoding_symbol_length: int, maximum_source_block_length: int, max_number_of_parity_symbols: int
    ) -> Oti: ...
    @staticmethod
    def new_reed_solomon_rs2m(
        encoding_symbol_length: int,
        maximum_source_block_length: int,
        max_number_of_parity_symbols: int,
        finite_field_bits: int = 8,
        symbols_per_packet: int = 1,
    ) -> Oti: ...
    @staticmethod
    def new_raptor(
        encoding_symbol_length: int, maximum_source_block_length: int, max_number_of_parity_symbols: int
    ) -> Oti: ...
    @staticmethod
    def new_raptorq(
        encoding_symbol_length: int, maximum_source_block_length: int, max_number_of_parity_symbols: int
    ) -> Oti: ...
    @property
    def max_transfer_length(self) -> int: ...

@final
class SenderConfig:
    fdt_duration_ms: int
    fdt_interval_ms: int
    fdt_inband_sct: bool
    fdt_cenc: int
    fdt_start_id: int
    fdt_xml_profile: str
    profile: str
    multiplex_files: int
    interleave_blocks: int
    spread_repair: bool
    bitrate: int
    close_session: bool
    first_toi: int | None
    @property
    def spool_directory(self) -> Path | None: ...
    @spool_directory.setter
    def spool_directory(self, value: str | PathLike[str] | None) -> None: ...
    def __new__(cls) -> Self: ...

@final
class Sender:
    def __new__(
        cls,
        tsi: int,
        oti: Oti,
        config: SenderConfig,
        *,
        on_event: Callable[[SenderEvent], object] | None = None,
    ) -> Self: ...
    def add_file(
        self,
        filepath: str | PathLike[str],
        cenc: int,
        content_type: str,
        content_location: str | None = None,
        oti: Oti | None = None,
        **options: Unpack[ObjectOptions],
    ) -> int: ...
    def add_object_from_buffer(
        self,
        content: Buffer,
        content_type: str,
        content_location: str,
        oti: Oti | None = None,
        **options: Unpack[ObjectOptions],
    ) -> int: ...
    def remove_object(self, toi: int, *, after_transfer: bool = False) -> bool: ...
    def trigger(self, toi: int) -> bool: ...
    def set_priority(self, toi: int, priority: int) -> bool: ...
    def set_bitrate(self, bitrate: int) -> None: ...
    def nb_objects(self) -> int: ...
    def publish(self) -> None: ...
    def finish(self, policy: str = "finish-transfers") -> None: ...
    def read(self) -> bytes | None: ...
    def read_batch(self) -> Batch: ...
    def send(self, socket: SendSocket, timeout: float | None = None) -> bool: ...
    @property
    def next_due(self) -> float | None: ...
    @property
    def is_done(self) -> bool: ...
    @property
    def queued_bytes(self) -> int: ...
    def stats(self) -> SenderStatistics: ...

@final
class Batch:
    @property
    def data(self) -> bytes: ...
    @property
    def packet_size(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> bytes: ...
    def __iter__(self) -> Iterator[bytes]: ...

@final
class FdtPublished:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def instance_id(self) -> int: ...
    @property
    def files(self) -> int: ...

@final
class TransferStarted:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def toi(self) -> int: ...
    @property
    def location(self) -> str: ...

@final
class TransferProgress:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def toi(self) -> int: ...
    @property
    def location(self) -> str: ...
    @property
    def sent(self) -> int: ...
    @property
    def packets(self) -> int: ...

@final
class TransferEnded:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def toi(self) -> int: ...
    @property
    def location(self) -> str: ...
    @property
    def transfers(self) -> int: ...
    @property
    def transfer_length(self) -> int: ...

@final
class TransferWithdrawn:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def toi(self) -> int: ...
    @property
    def location(self) -> str: ...
    @property
    def transfers(self) -> int: ...

@final
class ObjectFailed:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def toi(self) -> int: ...
    @property
    def location(self) -> str: ...
    @property
    def reason(self) -> str: ...

@final
class SessionOpened:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def tsi(self) -> int: ...
    @property
    def source(self) -> str | None: ...

@final
class SessionClosed:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def tsi(self) -> int: ...
    @property
    def source(self) -> str | None: ...
    @property
    def by_sender(self) -> bool: ...
    @property
    def complete(self) -> bool: ...

@final
class FdtRead:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def tsi(self) -> int: ...
    @property
    def instance_id(self) -> int: ...
    @property
    def files(self) -> int: ...
    @property
    def complete(self) -> bool: ...

@final
class FdtUnusable:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def tsi(self) -> int: ...
    @property
    def instance_id(self) -> int: ...
    @property
    def reason(self) -> str: ...

@final
class ObjectStarted:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def description(self) -> ObjectDescription: ...

@final
class ObjectProgress:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def description(self) -> ObjectDescription: ...
    @property
    def received(self) -> int: ...

@final
class LostObject:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def description(self) -> ObjectDescription: ...
    @property
    def reason(self) -> str: ...
    @property
    def missing(self) -> list[tuple[int, int]]: ...

@final
class NotWrittenObject:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def description(self) -> ObjectDescription: ...
    @property
    def reason(self) -> str: ...

@final
class WithdrawnObject:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def description(self) -> ObjectDescription: ...

@final
class LimitReached:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def tsi(self) -> int: ...
    @property
    def limit(self) -> str: ...

@final
class KernelDropped:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def datagrams(self) -> int: ...

@final
class SenderStatistics:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def packets(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def fdt_packets(self) -> int: ...
    @property
    def repair_packets(self) -> int: ...
    @property
    def fdt_instances(self) -> int: ...
    @property
    def objects(self) -> int: ...
    @property
    def transfers(self) -> int: ...
    @property
    def failed(self) -> int: ...

@final
class SessionStatistics:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def tsi(self) -> int | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def packets(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def unusable(self) -> int: ...
    @property
    def source_symbols(self) -> int: ...
    @property
    def repair_symbols(self) -> int: ...
    @property
    def recovered(self) -> int: ...
    @property
    def lost_symbols(self) -> int: ...
    @property
    def fdt_instances(self) -> int: ...
    @property
    def completed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def memory(self) -> int: ...
    @property
    def bits_per_second(self) -> float: ...
    @property
    def loss_percent(self) -> float: ...
    @property
    def residual_loss_percent(self) -> float: ...

@final
class ReceiverStatistics:
    __match_args__: ClassVar[tuple[str, ...]]
    @property
    def packets(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def malformed(self) -> int: ...
    @property
    def filtered(self) -> int: ...
    @property
    def kernel_dropped(self) -> int: ...
    @property
    def totals(self) -> SessionStatistics: ...
    @property
    def sessions(self) -> list[SessionStatistics]: ...


@final
class ReceiverConfig:
    max_objects_error: int
    session_timeout_ms: int | None
    object_timeout_ms: int | None
    max_memory: int
    max_object_size: int
    max_sessions: int
    spool_threshold: int
    mode: str
    @property
    def spool_directory(self) -> Path | None: ...
    @spool_directory.setter
    def spool_directory(self, value: str | PathLike[str] | None) -> None: ...
    def __new__(cls) -> Self: ...

@final
class UDPEndpoint:
    def __new__(cls, destination_group_address: str, port: int, source_address: str | None = None) -> Self: ...

@final
class ObjectWriterBuilder:
    def __new__(cls, path: str | PathLike[str]) -> Self: ...
    @staticmethod
    def new_buffer() -> ObjectWriterBuilder: ...

@final
class Receiver:
    def __new__(
        cls,
        endpoint: UDPEndpoint,
        tsi: int,
        writer: ObjectWriterBuilder,
        config: ReceiverConfig,
        *,
        on_event: Callable[[ReceiverEvent], object] | None = None,
    ) -> Self: ...
    def push(self, data: Buffer) -> list[ReceiverEvent]: ...
    def push_batch(self, datagrams: Batch | Sequence[Buffer]) -> list[ReceiverEvent]: ...
    def handle_timeout(self) -> list[ReceiverEvent]: ...
    def finish(self) -> list[ReceiverEvent]: ...
    @property
    def next_timeout(self) -> float | None: ...
    def stats(self) -> ReceiverStatistics: ...

@final
class MultiReceiver:
    def __new__(
        cls,
        writer: ObjectWriterBuilder,
        config: ReceiverConfig,
        *,
        tsis: Sequence[int] = ...,
        on_event: Callable[[ReceiverEvent], object] | None = None,
    ) -> Self: ...
    def push(self, endpoint: UDPEndpoint, data: Buffer) -> list[ReceiverEvent]: ...
    def push_batch(self, endpoint: UDPEndpoint, datagrams: Batch | Sequence[Buffer]) -> list[ReceiverEvent]: ...
    def handle_timeout(self) -> list[ReceiverEvent]: ...
    def finish(self) -> list[ReceiverEvent]: ...
    @property
    def next_timeout(self) -> float | None: ...
    def stats(self) -> ReceiverStatistics: ...

@final
class LCTHeader:
    def __new__(cls, data: Buffer) -> Self: ...
    @property
    def cci(self) -> int: ...
    @property
    def tsi(self) -> int: ...
    @property
    def toi(self) -> int: ...
    @property
    def fec_encoding_id(self) -> int: ...
    @property
    def sbn(self) -> int | None: ...
    @property
    def esi(self) -> int | None: ...
    @property
    def close_session(self) -> bool: ...
    @property
    def close_object(self) -> bool: ...

@final
class ObjectDescription:
    @property
    def tsi(self) -> int: ...
    @property
    def source(self) -> str | None: ...
    @property
    def toi(self) -> int: ...
    @property
    def location(self) -> str: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def content_encoding(self) -> str | None: ...
    @property
    def content_length(self) -> int | None: ...
    @property
    def transfer_length(self) -> int: ...
    @property
    def md5(self) -> bytes | None: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def groups(self) -> list[str]: ...
    @property
    def fdt_instance_id(self) -> int: ...

@final
class ReceivedObject:
    @property
    def description(self) -> ObjectDescription: ...
    @property
    def toi(self) -> int: ...
    @property
    def location(self) -> str: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def path(self) -> Path | None: ...
    def read(self) -> bytes: ...

@final
class SendSocket:
    def __new__(
        cls,
        address: str,
        port: int,
        *,
        interface: str | None = None,
        ttl: int = 1,
        bind_address: str | None = None,
        buffer_size: int = 0,
    ) -> Self: ...
    @property
    def destination(self) -> tuple[str, int]: ...
    def send(self, packets: Batch | Sequence[Buffer]) -> None: ...

@final
class EventListener:
    def __new__(
        cls,
        address: str,
        port: int,
        *,
        interface: str | None = None,
        source: str | None = None,
        tsis: Sequence[int] = ...,
        writer: ObjectWriterBuilder | None = None,
        config: ReceiverConfig | None = None,
        buffer_size: int = 0,
        on_event: Callable[[ReceiverEvent], object] | None = None,
    ) -> Self: ...
    def take(self, timeout: float | None = None) -> list[ReceiverEvent]: ...
    def close(self) -> None: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def address(self) -> tuple[str, int]: ...
    def fileno(self) -> int: ...
    def stats(self) -> ReceiverStatistics: ...
