"""The service's limits on an image, checked before the call (Qwen-OCR documentation, "Image limits").

| rule | says |
| --- | --- |
| too_small | a side of 10 pixels or less |
| extreme_aspect_ratio | over 200:1 or 1:200 |
| too_many_pixels | over 15.68 million |
| unsupported_format | none of BMP, JPEG, PNG, TIFF, WEBP, HEIC |
| format_from_4k | from 4K up neither JPEG nor PNG |
| over_8k | larger than 7680 × 4320 |
| too_many_bytes | Base64 over 10 MB, or a file by URL over 10 MB |
"""

from __future__ import annotations

from pagewise.errors import ImageRejected

MIN_SIDE = 11  # "must both be greater than 10 pixels"
MAX_ASPECT_RATIO = 200
MAX_PIXELS = 15_680_000
# The service's own message counts 10 MB of Base64 as 10485760.
MAX_BASE64_CHARACTERS = 10 * 1024 * 1024
# 10 MB by URL and "keep the original file under 7 MB" don't say which MB: the smaller reading keeps to both.
MAX_URL_BYTES = 10_000_000
MAX_INLINE_BYTES = 7_000_000

FOUR_K = (3840, 2160)
EIGHT_K = (7680, 4320)
MEDIA_TYPES = {
    "BMP": "image/bmp",
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "HEIF": "image/heic",
}
LARGE_FORMATS = {"JPEG", "PNG"}


def check_dimensions(width: int, height: int) -> None:
    """Raise ImageRejected `too_small` or `extreme_aspect_ratio` for sizes that no conversion can mend."""
    if min(width, height) < MIN_SIDE:
        raise ImageRejected(
            "too_small",
            f"The image is {width} × {height} pixels; both sides must be over 10. Scan or export it larger.",
        )
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ImageRejected(
            "extreme_aspect_ratio",
            f"The image is {width} × {height} pixels; one side may be at most 200 times the other. Cut it into pieces.",
        )


def check(
    width: int,
    height: int,
    image_format: str,
    size: int,
    by_url: bool = False,
    max_url_bytes: int = MAX_URL_BYTES,
) -> None:
    """Raise ImageRejected with the rule's name if the service would refuse this image.

    Parameters
    ----------
    image_format: Pillow's name of the real format, such as JPEG or HEIF.
    size: of the file in bytes, before Base64.
    by_url: the service fetches the image itself, else it comes in the request as Base64.
    """
    check_dimensions(width, height)
    if image_format not in MEDIA_TYPES:
        raise ImageRejected(
            "unsupported_format", f"{image_format} is none of BMP, JPEG, PNG, TIFF, WEBP, HEIC. Convert it to PNG."
        )
    if too_many_pixels(width, height):
        raise ImageRejected(
            "too_many_pixels", f"The image has {width * height:,} pixels; at most {MAX_PIXELS:,} pass. Scale it down."
        )
    if exceeds(EIGHT_K, width, height):
        raise ImageRejected(
            "over_8k", f"The image is {width} × {height} pixels, larger than 7680 × 4320. Scale it down."
        )
    if format_too_large(width, height, image_format):
        raise ImageRejected(
            "format_from_4k", f"From 3840 × 2160 only JPEG and PNG pass, not {image_format}. Convert it to PNG."
        )
    if by_url and size > max_url_bytes:
        raise ImageRejected("too_many_bytes", f"The image has {size:,} bytes; by URL at most {max_url_bytes:,} pass.")
    if not by_url and base64_characters(size) + 64 > MAX_BASE64_CHARACTERS:  # 64 covers the data URL's prefix
        raise ImageRejected("too_many_bytes", f"The image has {size:,} bytes; Base64 of it may have at most 10 MB.")


def too_many_pixels(width: int, height: int) -> bool:
    return width * height > MAX_PIXELS


def format_too_large(width: int, height: int, image_format: str) -> bool:
    return image_format not in LARGE_FORMATS and reaches(FOUR_K, width, height)


def base64_characters(size: int) -> int:
    return -(-size // 3) * 4


def reaches(resolution: tuple[int, int], width: int, height: int) -> bool:
    """Whether an image is not below this resolution: one of its sides is as long, either way up."""
    return max(width, height) >= max(resolution) or min(width, height) >= min(resolution)


def exceeds(resolution: tuple[int, int], width: int, height: int) -> bool:
    """Whether an image does not fit into this resolution, either way up."""
    return max(width, height) > max(resolution) or min(width, height) > min(resolution)
