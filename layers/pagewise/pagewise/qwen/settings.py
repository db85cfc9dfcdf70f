"""The facts about an engine that its client needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pagewise.qwen.fitting import ImageTransport
from pagewise.qwen.models import DEFAULT_MAX_PIXELS


class ApiStyle(StrEnum):
    """The protocol that the engine speaks."""

    DASHSCOPE = "dashscope"
    OPENAI = "openai"


class PixelLimits(StrEnum):
    """Whether a call says `min_pixels` and `max_pixels`: some compatible servers reject unknown members."""

    SEND = "send"
    OMIT = "omit"


class BlankPages(StrEnum):
    """The jobs of a page that is known to be blank end without a call, or ask all the same."""

    SKIP = "skip"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The facts about its engine that an OCR function needs. `parameters` are sampling parameters for every call."""

    base_url: str
    model: str
    api_style: ApiStyle = ApiStyle.DASHSCOPE
    workspace: str | None = None
    pixel_limits: PixelLimits = PixelLimits.SEND
    image_transport: ImageTransport = ImageTransport.AUTO
    parameters: Mapping[str, Any] = field(default_factory=dict)
    max_pixels: int = DEFAULT_MAX_PIXELS
    max_attempts: int = 5
    blank_pages: BlankPages = BlankPages.SKIP
