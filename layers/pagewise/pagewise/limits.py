"""The service's limits on an image, checked before the call (Qwen-OCR documentation, "Image limits")."""

from __future__ import annotations

from pagewise.errors import ImageRejected

MIN_SIDE = 11  # "must both be greater than 10 pixels"
MAX_ASPECT_RATIO = 200
MAX_PIXELS = 15_680_000
MAX_URL_BYTES = 10 * 1024 * 1024
MAX_BASE64_CHARACTERS = 10 * 1024 * 1024
# "keep the original file under 7 MB": Base64 makes 4 characters of 3 bytes, and a data URL has a prefix.
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
    """Raise ImageRejected `too_small` or `extreme_aspect_ratio` for what no conversion can mend."""
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


def check(width: int, height: int, image_format: str, size: int) -> None:
    """Raise ImageRejected with the rule's name if the service would refuse this image as an inline one.

    Parameters
    ----------
    image_format: Pillow's name of the real format, such as JPEG or HEIF.
    size: of the file in bytes, before Base64.
    """
    check_dimensions(width, height)
    if width * height > MAX_PIXELS:
        raise ImageRejected("too_many_pixels", f"The image has {width * height:,} pixels; at most {MAX_PIXELS:,} pass.")
    if image_format not in MEDIA_TYPES:
        raise ImageRejected("unsupported_format", f"{image_format} is none of BMP, JPEG, PNG, TIFF, WEBP, HEIC.")
    if image_format not in LARGE_FORMATS and at_least(FOUR_K, width, height):
        raise ImageRejected("format_from_4k", f"From 3840 × 2160 only JPEG and PNG pass, not {image_format}.")
    if exceeds(EIGHT_K, width, height):
        raise ImageRejected("over_8k", "The image is larger than 7680 × 4320.")
    if base64_characters(size) + 64 > MAX_BASE64_CHARACTERS:  # 64 covers the data URL's prefix
        raise ImageRejected("too_many_bytes", f"The image has {size:,} bytes; Base64 of it may have at most 10 MB.")


def base64_characters(size: int) -> int:
    return -(-size // 3) * 4


def at_least(resolution: tuple[int, int], width: int, height: int) -> bool:
    """Whether an image is of this resolution or above, by the number of pixels: 4K has 8.29 million."""
    return width * height >= resolution[0] * resolution[1]


def exceeds(resolution: tuple[int, int], width: int, height: int) -> bool:
    """Whether an image does not fit into this resolution, either way up."""
    return max(width, height) > max(resolution) or min(width, height) > min(resolution)
