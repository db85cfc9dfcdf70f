"""A page's own text is taken where it is sound, and left to the engine where anything speaks against it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pagewise.model import DocumentStatus, PageRange, Step, TextLayer
from pagewise.options.profiles import load_profile
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings
from tests.split.corpus import FOLDER
from tests.split.documents import pdf, scan, stream
from tests.unit.conftest import Pagewise

REPORT = Path(__file__).parents[2] / "events/samples/report.pdf"
SENTENCES = (
    "The ferry to the northern islands leaves",
    "at seven in the morning from the old quay",
    "and is back by noon.",
)
NARROW = ("The ferry leaves at seven", "in the morning and is", "back by noon.")
PREFERRING = Renderer(text_layer=TextLayer.PREFER)


def cmap(shift: int) -> bytes:
    """A ToUnicode map that says another letter for each: as PDFs have it whose text shall not be copied."""
    pairs = "".join(f"<{97 + n:02x}> <{97 + (n + shift) % 26:04x}>\n" for n in range(26))
    head = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
    head += "1 begincodespacerange <00> <ff> endcodespacerange\n26 beginbfchar\n"
    return f"{head}{pairs}endbfchar endcmap end end".encode()


def lettered(
    drawn: str = "",
    *,
    lines: tuple[str, ...] = SENTENCES,
    turn: int = 0,
    matrix: str = "1 0 0 1 40 {y}",
    before: str = "",
    state: str = "",
    font: str = "",
    more: str = "",
    objects: tuple[bytes, ...] = (),
) -> bytes:
    """A page of sentences in Helvetica, with whatever is said besides."""
    shown = " ".join(f"BT /F 12 Tf {matrix.format(y=160 - 20 * n)} Tm ({line}) Tj ET" for n, line in enumerate(lines))
    resources = f"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica {font} >> >> >>"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 320 200] /Contents 4 0 R "
    page += f"/Rotate {turn} /Resources {resources} {more} >>"
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            page.encode(),
            stream(f"{before} q {state} {shown} Q {drawn}".encode()),
            *objects,
        ]
    )


def rendered(content: bytes, folder: Path, renderer: Renderer = PREFERRING) -> PageImage:
    path = folder / "document.pdf"
    path.write_bytes(content)
    (found,) = renderer.render(path, inspect(path), PageRange(1, 1))
    assert isinstance(found, PageImage)
    return found


def test_a_sound_page_brings_its_lines_where_they_stand(tmp_path: Path) -> None:
    found = rendered(lettered(), tmp_path)
    assert found.lines is not None
    assert [line.text for line in found.lines] == list(SENTENCES)
    pixels = 200 / 72
    for number, line in enumerate(found.lines):
        base = (200 - 160 + 20 * number) * pixels
        assert line.left == pytest.approx(40 * pixels, abs=6)
        assert line.top < base < line.bottom + 2
        assert line.bottom - line.top < 14 * pixels
        shown = line.shown()
        assert shown["rotate_rect"][4] == 0
        assert shown["location"][::2] == pytest.approx([line.left, line.right, line.right, line.left], abs=0.1)


def test_columns_are_read_one_after_the_other_and_rows_of_a_table_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(REPORT.read_bytes())
    contents = inspect(tmp_path / "report.pdf")
    first, second = PREFERRING.render(tmp_path / "report.pdf", contents, PageRange(1, 2))
    assert isinstance(first, PageImage)
    assert isinstance(second, PageImage)
    text = [line.text for line in second.lines or ()]
    assert (
        text.index("people crossed the Sound, twice as") < text.index("5 Weather") < text.index("6 The routes compared")
    )
    assert text.index("Saint Alban") + 1 == text.index("1,655")
    assert text[-1] == "Page 2 of 2"
    assert first.lines
    assert first.lines[0].text == "Ferries of the Northern Sound"


WHITE, BLACK_BAR = "1 g", "0 g 30 110 280 70 re f"
UPSIDE = tuple(line[::-1] for line in SENTENCES)
NOT_TAKEN = {
    "hidden": lettered(state="3 Tr"),
    "to clip by": lettered(state="7 Tr"),
    "white on white": lettered(state=WHITE),
    "pale": lettered(state="0.95 g"),
    "under a black bar": lettered(BLACK_BAR),
    "one line under a black bar": lettered("0 g 30 132 280 22 re f"),
    "under a white one": lettered("1 g 30 110 280 70 re f"),
    "of no opacity": lettered(state="/G gs", more="", font="").replace(
        b"/Resources << ", b"/Resources << /ExtGState << /G << /ca 0 >> >> "
    ),
    "letters for others": lettered(font="/ToUnicode 5 0 R", objects=(stream(cmap(3)),)),
    "letters for others, by one": lettered(font="/ToUnicode 5 0 R", objects=(stream(cmap(1)),)),
    "letters for others, by thirteen": lettered(font="/ToUnicode 5 0 R", objects=(stream(cmap(13)),)),
    "nothing for letters": lettered(
        font="/ToUnicode 5 0 R", objects=(stream(cmap(0).replace(b"<0065>\n", b"<fffd>\n", 1)),)
    ),
    "private characters": lettered(
        font="/ToUnicode 5 0 R", objects=(stream(cmap(0).replace(b"<0065>\n", b"<e065>\n", 1)),)
    ),
    "Cyrillic taken for Latin": lettered(lines=("\\316\\343\\353\\340\\342\\353\\345\\355\\350\\345 " * 4,) * 3),
    "a word of two scripts": lettered(
        font="/ToUnicode 5 0 R", objects=(stream(cmap(0).replace(b"<0065>\n", b"<0435>\n", 1)),)
    ),
    "an earlier OCR under a scan": scan(640, 400, "320 200", " ".join(
        f"BT 3 Tr /F 12 Tf 1 0 0 1 40 {160 - 20 * n} Tm ({line}) Tj ET" for n, line in enumerate(SENTENCES)
    )),
    "text over a picture": scan(640, 400, "320 200", "1 g " + " ".join(
        f"BT /F 12 Tf 1 0 0 1 40 {160 - 20 * n} Tm ({line}) Tj ET" for n, line in enumerate(SENTENCES)
    )),
    "letters drawn as curves": lettered("40 40 m 60 80 80 80 100 40 c S"),
    "letters drawn as slanted lines": lettered("40 40 m 50 70 l 60 40 l S"),
    "a picture in the text's stream": lettered(
        "q 40 0 0 40 40 20 cm BI /W 2 /H 2 /CS /G /BPC 8 ID \x00\x7f\x7f\x00 EI Q"
    ),
    "a note": lettered(more="/Annots [5 0 R]", objects=(
        b"<< /Type /Annot /Subtype /FreeText /Rect [40 20 200 60] /Contents (Paid) /DA (/Helv 12 Tf 0 g) >>",
    )),
    "a form's field": lettered(more="/Annots [5 0 R]", objects=(
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (Smith) /Rect [40 20 200 60] /DA (/Helv 12 Tf 0 g) >>",
    )),
    "sideways on the page": lettered(matrix="0 1 -1 0 {y} 10", lines=NARROW),
    "sideways, as the page is turned": lettered(turn=90),
    "upside down, as the page is turned": lettered(turn=180),
    "upside down on the page": lettered(matrix="-1 0 0 -1 300 {y}"),
    "askew": lettered(matrix="0.97 0.24 -0.24 0.97 40 {y}"),
    "mirrored": lettered(matrix="-1 0 0 1 300 {y}"),
    "one letter on the other": lettered(state="-6.5 Tc"),
    "partly beyond the page": lettered(matrix="1 0 0 1 200 {y}"),
    "two texts on one spot": lettered(" ".join(
        f"BT /F 12 Tf 1 0 0 1 40 {160 - 20 * n} Tm ({line}) Tj ET" for n, line in enumerate(reversed(SENTENCES))
    )),
    "a few words": lettered(lines=("Page 1",)),
    "nothing": lettered(lines=()),
    "backwards, as some write right-to-left": lettered(lines=UPSIDE, state="").replace(b"/F 12 Tf", b"/F -12 Tf"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_TAKEN)
def test_what_is_not_sound_is_left_to_the_engine(kind: str, tmp_path: Path) -> None:
    found = rendered(NOT_TAKEN[kind], tmp_path)
    assert found.lines is None
    assert found.look.text_layer is None


TAKEN = {
    "turned with the page": lettered(turn=90, matrix="0 1 -1 0 {y} 20", lines=NARROW),
    "a table's rules": lettered("30 110 280 70 re S 30 130 m 310 130 l S"),
    "on a tinted ground": lettered(before="0.9 g 0 0 320 200 re f 0 g"),
    "white on black": lettered(before="0 g 0 0 320 200 re f", state=WHITE),
    "with a link": lettered(more="/Annots [5 0 R]", objects=(
        b"<< /Type /Annot /Subtype /Link /Rect [40 150 200 170] /Border [0 0 0] >>",
    )),
    "with a ToUnicode map that is right": lettered(font="/ToUnicode 5 0 R", objects=(stream(cmap(0)),)),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_sound_is_taken(kind: str, tmp_path: Path) -> None:
    found = rendered(TAKEN[kind], tmp_path)
    assert found.lines is not None
    words = Counter(" ".join(line.text for line in found.lines).lower().split())
    assert {"ferry", "seven", "noon."} <= set(words)
    assert all(0 <= line.left < line.right <= found.width for line in found.lines)
    assert all(0 <= line.top < line.bottom <= found.height for line in found.lines)


def test_without_the_wish_or_with_a_page_turned_by_us_nothing_is_taken(tmp_path: Path) -> None:
    assert rendered(lettered(), tmp_path, Renderer()).lines is None
    assert (
        rendered(lettered(), tmp_path, Renderer(text_layer=TextLayer.PREFER, preprocessing=(Step.DESKEW,))).lines
        is None
    )


LEFT_TO_THE_ENGINE = (
    *("field/pdfjs11740-widths.pdf", "field/pdfjs14953-type3.pdf", "field/uns4328-rotated90.pdf"),
    *(
        "field/pdfjs12750-form.pdf",
        "files/B25_ukrainian.pdf",
        "files/B28_UserFont_Arabic.pdf",
        "files/B31_scan-bad.pdf",
    ),
)


@pytest.mark.skipif(not (FOLDER / "manifest.csv").exists(), reason="the corpus is absent")
@pytest.mark.parametrize("file", LEFT_TO_THE_ENGINE)
def test_pages_of_the_corpus_whose_text_is_not_what_they_show(file: str, tmp_path: Path) -> None:
    assert rendered((FOLDER / file).read_bytes(), tmp_path).lines is None


@pytest.mark.skipif(not (FOLDER / "manifest.csv").exists(), reason="the corpus is absent")
def test_a_page_of_the_corpus_whose_text_is_sound(tmp_path: Path) -> None:
    found = rendered((FOLDER / "files/B30_rotation.pdf").read_bytes(), tmp_path)
    assert [line.text for line in found.lines or ()] == [
        "This is my first page with normal layout.",
        "This is the second line on the page.",
    ]


# ── in the pipeline ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_s_own_text_costs_no_call_and_says_so_everywhere(pagewise: Pagewise) -> None:
    tasks = "text_recognition,advanced_recognition,table_parsing"
    document = pagewise.split.upload(pagewise.upload(lettered(), ocr_tasks=tasks, ocr_text_layer="prefer"))
    pagewise.run_queues()
    assert [question.task for question in pagewise.engine.questions] == [Task.TABLE_PARSING]
    receipt: Any = pagewise.receipt_of(document)
    assert [(job["task"], job["source"], job["attempts"]) for job in receipt["page_jobs"]] == [
        ("text_recognition", "text_layer", 0),
        ("advanced_recognition", "text_layer", 0),
        ("table_parsing", "engine", 1),
    ]
    assert receipt["from_text_layer"] == 2
    for task in ("text_recognition", "advanced_recognition"):
        assert receipt["by_task"][task] == {"input_tokens": 0, "output_tokens": 0, "cost": 0}
    reading = pagewise.ledger.result(document.id, 1, "text_recognition")
    placing = pagewise.ledger.result(document.id, 1, "advanced_recognition")
    assert reading
    assert placing
    assert (reading.output["text"], reading.engine, reading.model) == ("\n".join(SENTENCES), None, None)
    assert [line["text"] for line in placing.output["lines"]] == list(SENTENCES)
    events = {event["task"]: event["source"] for event in pagewise.publisher.named("PageRecognized")}
    assert events == {"text_recognition": "text_layer", "advanced_recognition": "text_layer", "table_parsing": "engine"}


def test_text_that_is_gone_again_is_asked_for(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(lettered(), ocr_text_layer="prefer"))
    pagewise.pages.documents.clear()
    pagewise.run_queues()
    assert len(pagewise.engine.questions) == 1
    receipt: Any = pagewise.receipt_of(document)
    assert [job["source"] for job in receipt["page_jobs"]] == ["engine"]


@pytest.mark.parametrize(
    ("stack", "profile", "said", "taken"),
    [
        (TextLayer.IGNORE, None, None, False),
        (TextLayer.PREFER, None, None, True),
        (TextLayer.PREFER, "ignore", None, False),
        (TextLayer.PREFER, None, "ignore", False),
        (TextLayer.IGNORE, "prefer", None, True),
        (TextLayer.IGNORE, "ignore", " Prefer ", True),
    ],
)
def test_upload_before_profile_before_stack(
    stack: TextLayer, profile: str | None, said: str | None, taken: bool
) -> None:
    pagewise = Pagewise(settings=SplitSettings(renderer=Renderer(text_layer=stack)))
    pagewise.profiles.stored["papers"] = json.dumps({"text_layer": profile} if profile else {})
    metadata = {"ocr_text_layer": said} if said else {}
    document = pagewise.split.upload(pagewise.uploads.put(lettered(), key="uploads/papers/a", **metadata))
    pagewise.run_queues()
    assert bool(pagewise.engine.questions) is not taken
    assert pagewise.stored(document).status is DocumentStatus.COMPLETE


def test_another_word_is_refused(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(lettered(), ocr_text_layer="prefered"))
    assert (document.status, document.reason) == (DocumentStatus.REJECTED, "invalid_option")
    assert "Did you mean prefer?" in (document.message or "")
    with pytest.raises(Exception, match="text_layer of the profile papers"):
        load_profile("papers", '{"text_layer": true}')


def test_ranges_of_a_long_document_are_taken_alike() -> None:
    pagewise = Pagewise(settings=SplitSettings(pages_per_range=1))
    document = pagewise.split.upload(pagewise.upload(REPORT.read_bytes(), ocr_text_layer="prefer"))
    pagewise.run_queues()
    receipt: Any = pagewise.receipt_of(document)
    assert [job["source"] for job in receipt["page_jobs"]] == ["text_layer"] * 2
    assert pagewise.engine.questions == []


def test_without_a_task_that_it_answers_no_text_is_looked_for(pagewise: Pagewise) -> None:
    pagewise.split.upload(pagewise.upload(lettered(), ocr_tasks="table_parsing", ocr_text_layer="prefer"))
    assert pagewise.pages.documents == {}


def test_the_folder_of_page_images_holds_nothing_else(pagewise: Pagewise) -> None:
    """Whoever fetches a document's pages lists it."""
    document = pagewise.split.upload(pagewise.upload(lettered(), ocr_text_layer="prefer"))
    assert list(pagewise.pages.documents) == [f"documents/{document.id}/texts/00001.json"]
