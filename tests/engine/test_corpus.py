"""On real documents: as well as the better of two engines as they come, and the limits where the manifest sees them."""

from __future__ import annotations

import pytest

from tests.engine import corpus
from tests.engine.asking import Engine, content, data_url, mime_type_of, request

pytestmark = pytest.mark.skipif(not corpus.is_here(), reason=f"the corpus is absent: {corpus.CORPUS}")

# A09 is a slide whose truth leaves out the labels of its charts: who reads more of them fares worse. The others are
# all in character_error_rate.py; here is what takes little time.
AIMS = ["A04", "A23", "A24", "A25", "A27", "A32"]


@pytest.mark.parametrize("name", AIMS)
def test_a_page_is_read_no_worse_than_by_the_better_baseline(engine: Engine, name: str) -> None:
    text = engine.text(corpus.as_sent(corpus.original(name)))
    assert round(corpus.error_rate(text, corpus.truth(name)), 3) <= min(corpus.BASELINES[name])


@pytest.mark.parametrize("name", ["A10", "A13"])
def test_other_languages_are_read_no_worse_where_their_pack_is_installed(engine: Engine, name: str) -> None:
    pack = {"A10": "kor", "A13": "vie"}[name]
    if pack not in engine.http.get("/health").json()["tesseract_languages"]:
        pytest.skip(f"Tesseract's pack {pack} is not installed")
    text = engine.text(corpus.as_sent(corpus.original(name)), "multi_lan")
    assert round(corpus.error_rate(text, corpus.truth(name)), 3) <= min(corpus.BASELINES[name])


@pytest.mark.parametrize(
    ("name", "pack", "expected"),
    [("A17", "rus", "Славянские языки — большая языковая семья."), ("A15", None, "元来日本語は漢文に倣い")],
)
def test_a_script_is_recognized(engine: Engine, name: str, pack: str | None, expected: str) -> None:
    if pack and pack not in engine.http.get("/health").json()["tesseract_languages"]:
        pytest.skip(f"Tesseract's pack {pack} is not installed")
    assert engine.text(corpus.as_sent(corpus.original(name)), "multi_lan").startswith(expected)


def test_the_documented_example_of_information_extraction(engine: Engine) -> None:
    schema = {
        "Ride Date": "Corresponds to the ride date and time in the image, in the format YYYY-MM-DD",
        "Invoice Code": "Extract the invoice code from the image, usually a combination of numbers or letters",
        "Invoice Number": "Extract the number from the invoice, usually composed of only digits.",
    }
    image = corpus.original("A06").read_bytes()
    answer = content(engine.ask(image, "key_information_extraction", result_schema=schema))
    assert answer["ocr_result"]["kv_result"] == {
        "Ride Date": "2013-06-29",
        "Invoice Code": "221021325353",
        "Invoice Number": "10283819",
    }


def test_the_merged_cells_of_a_scanned_table_are_kept(engine: Engine) -> None:
    text = engine.text(corpus.original("A31").read_bytes(), "table_parsing")
    assert '<td rowspan="2">Disability Category</td>' in text
    assert '<td colspan="2">Results</td>' in text
    assert "<td>98.3% n=2 (97.7%, n=3)</td>" in text


def raw_images() -> list[tuple[str, bool]]:
    if not corpus.is_here():
        return []
    rows = [row for row in corpus.manifest() if row["raw_api_ok"] in ("yes", "no") and "PDF" not in row["format"]]
    # Whether an image is cut off shows when it is decoded, which canned answers do without.
    return [(row["file"], row["raw_api_ok"] == "yes") for row in rows if "truncated" not in row["category"]]


@pytest.mark.parametrize(("file", "accepted"), raw_images())
def test_a_file_as_it_is_passes_the_limits_where_the_manifest_says_so(
    canned: Engine, file: str, accepted: bool
) -> None:
    encoded = (corpus.CORPUS / file).read_bytes()
    reply = canned.post(request(data_url(encoded, mime_type_of(encoded)), "text_recognition"))
    assert (reply.status_code == 200) is accepted, reply.text


@pytest.mark.parametrize("name", ["C05", "C06"])
def test_an_image_that_is_cut_off_cannot_be_decoded(engine: Engine, name: str) -> None:
    reply = engine.ask(corpus.original(name).read_bytes(), "text_recognition")
    assert (reply.status_code, reply.json()["code"]) == (400, "InvalidParameter")
