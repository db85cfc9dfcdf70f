"""Page images keep Qwen-OCR's limits."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from pagewise.pages import limits
from pagewise.pages.pdf_pages import PageSize
from pagewise.pages.rendering import Renderer


@given(
    st.floats(1, 20_000), st.floats(1, 20_000), st.integers(36, 1200), st.sampled_from((3072, 8_388_608, 15_680_000))
)
@example(28.0, 5482.704861796146, 101, 8_388_608)  # 7,680 pixels, or one more, by the order of operations
def test_no_page_breaks_a_limit_that_a_scale_can_keep(width: float, height: float, dpi: int, largest: int) -> None:
    scale = Renderer(dpi=dpi, max_pixels=largest).scale(PageSize(width, height))
    assert scale is not None
    # pdftoppm's own rounding
    pixels = [-int(-side * scale.dpi // 72) for side in (width, height)]
    assert scale.dpi <= dpi or min(pixels) <= limits.MIN_SIDE + 1
    if max(width, height) < min(limits.MAX_ASPECT_RATIO, largest / 200) * min(width, height):
        assert pixels[0] * pixels[1] <= largest
        assert not limits.exceeds(limits.EIGHT_K, *pixels)
