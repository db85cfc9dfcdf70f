"""Frames of TIFFs, of any kind, whole or broken."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from tests.pictures import tiff
from tests.split.test_images import drawn, saved
from tests.unit.conftest import Pagewise


def test_every_frame_of_a_tiff_is_a_page_of_its_own_kind(pagewise: Pagewise) -> None:
    frames = [drawn("1"), drawn("L").resize((90, 60)), drawn("RGB").resize((60, 90))]
    content = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    document = pagewise.split.upload(pagewise.upload(content))
    assert document.pages == 3
    sizes = [(job.page, job.image.width, job.image.height) for job in pagewise.queues.jobs]
    assert sizes == [(1, 120, 80), (2, 90, 60), (3, 60, 90)]


def test_a_tiff_with_a_bad_frame_loses_that_page_alone(pagewise: Pagewise) -> None:
    frames = [drawn("RGB").resize((300, 300)) for _ in range(3)]
    content = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:], compression="tiff_adobe_deflate")
    with Image.open(io.BytesIO(content)) as image:
        image.seek(1)
        offset = image.tag_v2[273][0]  # type: ignore[attr-defined]
    damaged = content[:offset] + bytes(20) + content[offset + 20 :]
    document = pagewise.split.upload(pagewise.upload(damaged))
    assert document.pages == 3
    assert [job.page for job in pagewise.queues.jobs] == [1, 3]
    (failed,) = pagewise.publisher.named("PageFailed")
    assert failed["page"] == 2


def test_a_frame_list_without_end_is_counted_once(pagewise: Pagewise) -> None:
    """A TIFF whose second directory is followed by its first."""
    from PIL import Image

    buffer = io.BytesIO()
    frames = [Image.new("L", (50, 50)) for _ in range(2)]
    frames[0].save(buffer, format="TIFF", save_all=True, append_images=frames[1:])
    content = bytearray(buffer.getvalue())
    (first,) = struct.unpack_from("<I", content, 4)
    directory = first
    while True:
        (entries,) = struct.unpack_from("<H", content, directory)
        (following,) = struct.unpack_from("<I", content, directory + 2 + 12 * entries)
        if following == 0:
            struct.pack_into("<I", content, directory + 2 + 12 * entries, first)
            break
        directory = following
    assert pagewise.split.upload(pagewise.upload(bytes(content))).pages == 2


def directories(content: bytes) -> list[int]:
    """Where the frames' directories lie."""
    (offset,) = struct.unpack_from("<I", content, 4)
    found = []
    while offset:
        found.append(offset)
        (entries,) = struct.unpack_from("<H", content, offset)
        (offset,) = struct.unpack_from("<I", content, offset + 2 + 12 * entries)
    return found


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_tiff_with_a_broken_directory_loses_that_page_alone(broken: int, pagewise: Pagewise) -> None:
    content = bytearray(tiff(3))
    offset = directories(bytes(content))[broken - 1]
    (entries,) = struct.unpack_from("<H", content, offset)
    content[offset + 2 : offset + 2 + 12 * entries] = b"\xff" * 12 * entries
    document = pagewise.split.upload(pagewise.upload(bytes(content)))
    assert document.pages == 3
    assert [job.page for job in pagewise.queues.jobs] == [page for page in (1, 2, 3) if page != broken]
    (lost,) = pagewise.publisher.named("PageFailed")
    assert (lost["page"], lost["reason"]) == (broken, "unreadable_page")


def test_a_tiff_that_is_cut_off_loses_the_pages_behind_the_cut(pagewise: Pagewise) -> None:
    content = tiff(3)
    document = pagewise.split.upload(pagewise.upload(content[: directories(content)[2]]))
    assert document.pages == 3
    assert [job.page for job in pagewise.queues.jobs] == [1, 2]
    assert [event["page"] for event in pagewise.publisher.named("PageFailed")] == [3]
