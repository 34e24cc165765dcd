# SPDX-License-Identifier: MPL-2.0
"""The two examples on the page of flute-alc, as they are printed there, run with this package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import flute


@pytest.fixture(scope="module")
def examples() -> tuple[str, str]:
    """The examples, from the sources of the crate that flute-alc is made of: a library of the tests of the project."""
    if shutil.which("cargo") is None:
        pytest.skip("there is no cargo to ask where the crate flute is")
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    here = Path(__file__).resolve().parent
    metadata = json.loads(subprocess.run(command, cwd=here, check=True, capture_output=True, timeout=300).stdout)
    [manifest] = [package["manifest_path"] for package in metadata["packages"] if package["name"] == "flute"]
    blocks = re.findall(r"```python\n(.*?)```", (Path(manifest).parent / "README.md").read_text(), re.DOTALL)
    example_of_sender, example_of_receiver = [re.sub("^    ", "", block, flags=re.MULTILINE) for block in blocks]
    return example_of_sender, example_of_receiver


class NoMorePackets(Exception):
    """Ends the receiver, which has no end of its own."""


def test_the_examples_run_unchanged(examples: tuple[str, str], tmp_path: Path, content: bytes) -> None:
    assert Path(flute.__file__).with_name("network.py").exists(), "this is another package"
    example_of_sender, example_of_receiver = examples
    (tmp_path / "movie.bin").write_bytes(content)
    (tmp_path / "received").mkdir()

    # The paths are those of the test, and the function that the example asks for is there.
    packets: list[bytes] = []
    example_of_sender = example_of_sender.replace("/path/to/file", str(tmp_path / "movie.bin"))
    example_of_sender = re.sub("#TODO Send alc_pkt over UDP/IP", "send_to_udp_socket(alc_pkt)", example_of_sender)
    exec(compile(example_of_sender, "sender.py", "exec"), {"send_to_udp_socket": packets.append})
    assert len(packets) > len(content) / 1400

    waiting = iter(packets)

    def receive_from_udp_socket() -> bytes:
        try:
            return next(waiting)
        except StopIteration:
            raise NoMorePackets from None

    example_of_receiver = example_of_receiver.replace("/path/to/dest", str(tmp_path / "received"))
    with pytest.raises(NoMorePackets):
        exec(
            compile(example_of_receiver, "receiver.py", "exec"),
            {"receive_from_udp_socket": receive_from_udp_socket},
        )
    assert (tmp_path / "received" / "movie.bin").read_bytes() == content
