"""What each task answers, on pages drawn for the purpose."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from pagewise.options.profiles import load_profile
from pagewise.options.rules import judged
from tests.engine.asking import Engine, content, data_url, drawn, request, write
from tests.unit.test_rules import extracted

ROOT = Path(__file__).parents[2]

LINES = ["Invoice number: 4711", "Date: 2024-03-17", "Total 98.50"]
LEFT = ["The left column tells", "how the river came", "to the old town and", "why nobody left it."]
RIGHT = ["The right one has the", "story of the bridge", "that was built twice", "and burned once only."]


def test_text_comes_line_by_line(engine: Engine) -> None:
    assert engine.text(drawn(*LINES)).splitlines() == LINES


def test_columns_are_read_one_after_the_other(engine: Engine) -> None:
    page = Image.new("RGB", (1000, 420), "white")
    write(page, (40, 40), "\n".join(LEFT), 32)
    write(page, (540, 40), "\n".join(RIGHT), 32)
    assert engine.text(page).splitlines() == [*LEFT, *RIGHT]


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270])
def test_a_turned_page_is_read_upright(engine: Engine, turn: Image.Transpose) -> None:
    assert engine.text(drawn(*LINES).transpose(turn)).splitlines() == LINES


@pytest.mark.parametrize(
    ("pack", "lines"),
    [
        ("rus", ["Здравствуйте, это русский текст", "Вторая строка объявления"]),
        ("ukr", ["Привіт, це українська їжа", "Другий рядок тексту"]),
    ],
)
def test_a_script_that_rapidocr_lacks_is_read(engine: Engine, pack: str, lines: list[str]) -> None:
    if pack not in engine.http.get("/health").json()["tesseract_languages"]:
        pytest.skip(f"Tesseract's pack {pack} is not installed")
    font = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    if not font.exists():
        pytest.skip("no font with this script: DejaVu Sans is absent")
    page = Image.new("RGB", (1000, 240), "white")
    drawing = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        drawing.text((40, 40 + 80 * number), line, fill="black", font=ImageFont.truetype(font, 40))
    assert engine.text(page, "multi_lan").splitlines() == lines


def test_a_blank_page_has_no_text(engine: Engine) -> None:
    assert engine.text(Image.new("RGB", (300, 300), "white")) == ""


def test_each_line_has_its_place_on_the_image_that_was_sent(engine: Engine) -> None:
    page = Image.new("RGB", (800, 300), "white")
    write(page, (100, 120), "Audience", 40)
    (word,) = content(engine.ask(page, "advanced_recognition"))["ocr_result"]["words_info"]
    left, top, right, bottom = ImageDraw.Draw(page).textbbox((100, 120), "Audience", font_size=40)
    x, y = word["location"][0::2], word["location"][1::2]
    assert word["text"] == "Audience"
    assert [x[0], x[1], y[0], y[2]] == pytest.approx([left, right, top, bottom], abs=15)
    cx, cy, across, along, angle = word["rotate_rect"]
    # As in the documented sample: width and height swapped, a right angle off.
    assert 85 <= abs(angle) <= 90
    assert (cx, cy) == pytest.approx(((left + right) / 2, (top + bottom) / 2), abs=12)
    assert along > 3 * across


def test_places_on_a_turned_page_are_those_of_the_image_that_was_sent(engine: Engine) -> None:
    page = drawn(*LINES, size=(900, 400)).transpose(Image.Transpose.ROTATE_90)
    answer = content(engine.ask(page, "advanced_recognition"))
    words = answer["ocr_result"]["words_info"]
    assert [word["text"] for word in words] == LINES
    for word in words:
        x, y = word["location"][0::2], word["location"][1::2]
        assert max(x) <= page.width
        assert max(y) <= page.height
        # The text runs upwards: its top-left corner is at the bottom left.
        assert (x[0], y[0]) == (min(x), max(y)) or abs(x[0] - min(x)) <= 3
    places = json.loads(re.sub(r"^```json\n|```$", "", answer["text"]))[0]["pos_list"]
    assert len(places) == 3
    assert all(0 <= number <= 1000 for place in places for number in place["rotate_rect"][:2])


def test_fields_are_found_by_schema_and_the_absent_is_null(engine: Engine) -> None:
    schema = {"Invoice Number": "", "Date": "in the format YYYY-MM-DD", "Total": "", "IBAN": ""}
    answer = content(engine.ask(drawn(*LINES), "key_information_extraction", result_schema=schema))
    expected = {"Invoice Number": "4711", "Date": "2024-03-17", "Total": "98.50", "IBAN": None}
    assert answer["ocr_result"]["kv_result"] == expected
    assert answer["text"] == f"```json\n{json.dumps(expected, indent=4)}\n```"


def test_lists_and_sections_are_filled(engine: Engine) -> None:
    page = Image.new("RGB", (1000, 600), "white")
    columns = {60: ["Item", "Pencil", "Notebook"], 420: ["Quantity", "12", "3"], 760: ["Price", "4.80", "9.90"]}
    for left, texts in columns.items():
        write(page, (left, 260), "\n".join(texts), 32)
    write(page, (60, 40), "Seller\nName: Paper and Ink\nCity: Leeds", 32)
    schema = {"Seller": {"Name": "", "City": "", "Country": ""}, "Lines": [{"Item": "", "Quantity": "", "Price": ""}]}
    found = content(engine.ask(page, "key_information_extraction", result_schema=schema))["ocr_result"]["kv_result"]
    assert found == {
        "Seller": {"Name": "Paper and Ink", "City": "Leeds", "Country": None},
        "Lines": [
            {"Item": "Pencil", "Quantity": "12", "Price": "4.80"},
            {"Item": "Notebook", "Quantity": "3", "Price": "9.90"},
        ],
    }


def test_all_fields_are_found_without_a_schema(engine: Engine) -> None:
    found = content(engine.ask(drawn(*LINES[:2]), "key_information_extraction"))["ocr_result"]["kv_result"]
    assert found == {"Invoice number": "4711", "Date": "2024-03-17"}


def ruled_page() -> Image.Image:
    """A head over two columns, and a name at the left of two rows."""
    page = Image.new("RGB", (900, 460), "white")
    pen = ImageDraw.Draw(page)
    for box in ((40, 40, 300, 420), (300, 40, 860, 140), (300, 140, 580, 280), (580, 140, 860, 280)):
        pen.rectangle(box, outline="black", width=3)
    for box in ((300, 280, 580, 420), (580, 280, 860, 420)):
        pen.rectangle(box, outline="black", width=3)
    texts = {(110, 200): "Region", (520, 70): "Results", (380, 190): "North", (650, 190): "South"}
    for place, text in (texts | {(390, 330): "120", (670, 330): "85"}).items():
        write(page, place, text, 32)
    return page


def test_a_table_keeps_its_merged_cells(engine: Engine) -> None:
    text = engine.text(ruled_page(), "table_parsing")
    assert text.startswith("```html\n<table>")
    assert text.endswith("</table>\n```")
    assert '<td rowspan="3">Region</td>' in text
    assert '<td colspan="2">Results</td>' in text
    assert [re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", text)] == [
        *("Region", "Results", "North", "South", "120", "85")
    ]


def test_a_table_without_rules_is_found_by_alignment(engine: Engine) -> None:
    page = Image.new("RGB", (1000, 320), "white")
    rows = {60: ["City", "Oslo", "Rome"], 420: ["Area", "454", "1285"], 760: ["Mayor", "Anne", "Paul"]}
    for left, texts in rows.items():
        write(page, (left, 40), "\n".join(texts), 32)
    cells = re.findall(r"<td>(.*?)</td>", engine.text(page, "table_parsing"))
    assert cells == ["City", "Area", "Mayor", "Oslo", "454", "Anne", "Rome", "1285", "Paul"]


def test_a_page_without_a_table_is_one_of_a_single_column(engine: Engine) -> None:
    cells = re.findall(r"<td>(.*?)</td>", engine.text(drawn(*LINES), "table_parsing"))
    assert cells == LINES
    assert engine.text(Image.new("RGB", (300, 300), "white"), "table_parsing") == "```html\n<table>\n</table>\n```"


def test_a_document_becomes_latex_with_its_special_signs_escaped(engine: Engine) -> None:
    page = Image.new("RGB", (1100, 600), "white")
    write(page, (60, 40), "Report", 80)
    write(page, (60, 220), "Costs rose by 12% in the R&D section\nof the company during the last year.", 32)
    text = engine.text(page, "document_parsing")
    assert text.startswith("```latex\n\\documentclass{article}")
    assert "\\section*{Report}" in text
    assert "Costs rose by 12\\% in the R\\&D section\nof the company" in text
    assert text.endswith("\\end{document}\n```")


def test_a_table_in_a_document_becomes_a_tabular(engine: Engine) -> None:
    text = engine.text(ruled_page(), "document_parsing")
    assert "\\multirow{3}{*}{Region} & \\multicolumn{2}{l|}{Results} \\\\" in text
    assert " & 120 & 85 \\\\" in text


def test_a_documented_prompt_stands_for_its_task(engine: Engine) -> None:
    plain = "Please output only the text content from the image without any additional descriptions or formatting."
    for prompt in (plain, None, "Extract all text from this image.", "Please read the text in the picture"):
        reply = engine.post(request(data_url(drawn(*LINES)), prompt=prompt))
        assert content(reply) == {"text": "\n".join(LINES)}


def test_a_prompt_with_a_json_template_extracts_its_fields(engine: Engine) -> None:
    prompt = "Extract the key information. Return the data in JSON format: {'Invoice Number': 'xxx', 'Date': 'xxx'}"
    answer = content(engine.post(request(data_url(drawn(*LINES)), prompt=prompt)))
    # A prompt gets its answer as text alone; ocr_result is the built-in tasks'.
    assert set(answer) == {"text"}
    assert json.loads(re.sub(r"^```json\n|```$", "", answer["text"])) == {
        "Invoice Number": "4711",
        "Date": "2024-03-17",
    }


def test_max_pixels_bounds_what_is_read(engine: Engine) -> None:
    body = request(data_url(drawn(*LINES)), "text_recognition")
    body["input"]["messages"][0]["content"][0]["max_pixels"] = 3072
    assert content(engine.post(body))["text"].splitlines() != LINES


# ── several images in one request ────────────────────────────────────────────────────────────────────────────────────


def of_pages(task: str, *pages: Image.Image, **config: Any) -> dict[str, Any]:
    body = request(data_url(pages[0]), task, **config)
    elements = body["input"]["messages"][0]["content"]
    elements += [{"image": data_url(page), "min_pixels": 3072, "max_pixels": 8388608} for page in pages[1:]]
    return body


def test_fields_are_found_on_whichever_page_they_are(engine: Engine) -> None:
    schema = {"Invoice number": "", "Total": "", "IBAN": ""}
    body = of_pages(
        "key_information_extraction", drawn("Invoice number: 4711"), drawn("Total: 98.50"), result_schema=schema
    )
    reply = engine.post(body)
    assert content(reply)["ocr_result"]["kv_result"] == {"Invoice number": "4711", "Total": "98.50", "IBAN": None}
    assert reply.json()["usage"]["image_tokens"] == 2 * (28 * 12 + 2)


def test_all_fields_of_all_pages_are_found(engine: Engine) -> None:
    body = of_pages("key_information_extraction", drawn("Item: Tea", "Total: 9"), drawn("Item: Milk", "Total: 9"))
    assert content(engine.post(body))["ocr_result"]["kv_result"] == {"Item": ["Tea", "Milk"], "Total": "9"}


def test_the_tables_of_several_pages_stand_in_one_fence(engine: Engine) -> None:
    text = str(content(engine.post(of_pages("table_parsing", drawn("one"), drawn("two"))))["text"])
    assert (text.count("```"), text.count("<table")) == (2, 2)
    assert text.index("one") < text.index("two")


def test_what_exceeds_the_models_input_is_refused(canned: Engine) -> None:
    page = Image.new("RGB", (2880, 2880), "white")
    assert canned.post(of_pages("table_parsing", *[page] * 3)).status_code == 200
    reply = canned.post(of_pages("table_parsing", *[page] * 4))
    assert (reply.status_code, reply.json()["code"]) == (400, "InvalidParameter")
    assert reply.json()["message"] == "Range of input length should be [1, 30000]"


def test_places_of_lines_are_of_one_image(engine: Engine) -> None:
    assert engine.post(of_pages("advanced_recognition", drawn("one"), drawn("two"))).status_code == 400


def test_the_shipped_receipt_has_the_fields_of_the_shipped_profile_and_keeps_its_rules(engine: Engine) -> None:
    profile = load_profile("receipts", (ROOT / "profiles/receipts.json").read_text())
    receipt = Image.open(ROOT / "events/samples/receipt.jpg").convert("RGB")
    answer = content(engine.ask(receipt, "key_information_extraction", result_schema=dict(profile.result_schema or {})))
    found = answer["ocr_result"]["kv_result"]
    lines = found.pop("Lines")
    assert found == {
        "Shop": "GREENLEAF GROCERS",
        "Address": "17 Mill Lane, Lowmoor",
        "Date": "2025-09-26",
        "Receipt number": "004817",
        "Subtotal": "32.50",
        "VAT": "2.27",
        "Total": "34.77",
    }
    assert [line["Price"] for line in lines] == ["7.80", "8.45", "2.52", "2.75", "3.45", "9.80"]
    assert lines[2] == {"Article": "Eggs, free range", "Quantity": "6", "Price": "2.52"}
    assert judged(extracted(found | {"Lines": lines}), profile.validation).valid
    assert not judged(extracted(found | {"Lines": lines[1:]}), profile.validation).valid


def test_a_letter_has_no_shop_and_no_lines_of_a_receipt(engine: Engine) -> None:
    schema = {"Shop": "", "Address": "", "Lines": [{"Article": "", "Price": ""}]}
    found = content(engine.ask(drawn(*LINES), "key_information_extraction", result_schema=schema))
    assert found["ocr_result"]["kv_result"] == {"Shop": None, "Address": None, "Lines": []}
