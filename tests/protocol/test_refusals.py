"""A model that speaks of the page instead of reading it, and pages that only sound like one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pagewise.qwen.refusals import is_refusal, is_unclear_throughout, says_no_text, unclear_places

CORPUS = Path(__file__).parents[3] / "shared/corpus/ground_truth"
REFUSALS = [
    "I can't read this image",
    "I'm sorry, but I can't read this image.",
    "I cannot process this image.",
    "Sorry, I am unable to extract text from the picture.",
    "As an AI language model, I cannot view images.",
    "I’m sorry, but I can’t assist with that request.",
    "Unfortunately, I couldn't read the text in this image.",
    "Unable to read the image.",
    "The image is too blurry to read.",
    "Please provide a clearer image.",
    "```json\nI cannot read this document\n```",
    '{"error": "I cannot read this image"}',
    "抱歉，我无法识别这张图片中的文字。",
    "对不起，图片太模糊，我无法读取。",
    "无法识别图片中的内容",
    "非常抱歉，无法为您提供帮助。",
    "Es tut mir leid, ich kann das Bild nicht lesen.",
    "Je suis désolé, mais je ne peux pas lire cette image.",
    "Lo siento, no puedo leer esta imagen.",
    "Desculpe, não consigo ler a imagem.",
    "Mi dispiace, non riesco a leggere l'immagine.",
    "Извините, я не могу распознать текст.",
    "申し訳ありませんが、この画像を読み取ることができません。",
    "죄송합니다. 이미지를 읽을 수 없습니다.",
    "Xin lỗi, tôi không thể đọc hình ảnh này.",
    "عذراً، لا أستطيع قراءة هذه الصورة",
]
PAGES = [
    "Sorry, we are closed",
    "We cannot accept returns without a receipt.",
    "I can't believe it's not butter",
    "I am sorry for your loss",
    "I could not see the hills because of the fog; this is it. The page turned.",
    "We are unable to process refunds.",
    "The picture of Dorian Gray",
    "Please provide your name",
    "Please upload a photo of your driver's licence.",
    "抱歉，本店休息",
    "Ich kann heute nicht kommen.",
    "Leider ausverkauft",
    "I can't read this image. " + "So began the letter that she never sent. " * 12,
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_told_by_its_words(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", PAGES)
def test_a_page_that_sounds_like_one_is_text(text: str) -> None:
    assert not is_refusal(text)
    assert not says_no_text(text)


@pytest.mark.parametrize(
    "text",
    ["There is no text in this image.", "No text found.", "图片中没有文字。", "The image does not contain any text."],
)
def test_the_models_word_that_there_is_no_text_is_known(text: str) -> None:
    assert says_no_text(text)
    assert not is_refusal(text)


def test_marks_of_what_is_unclear_are_counted() -> None:
    assert unclear_places("Name: [unclear] Smith, (illegible), [看不清], [1], [Unclear Ltd]") == 4
    assert is_unclear_throughout("<td>[unclear]</td>\n[ILLEGIBLE word] …")
    assert not is_unclear_throughout("[unclear] 7")
    assert not is_unclear_throughout("…")


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is absent")
def test_no_line_of_the_corpus_is_the_models_own() -> None:
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in CORPUS.rglob("*") if path.is_file()]
    lines = [line for text in texts for line in (text, *text.splitlines()) if line.strip()]
    assert len(lines) > 4_000
    assert [line for line in lines if is_refusal(line) or says_no_text(line)] == []


def test_time_grows_with_the_text_alone() -> None:
    began = time.monotonic()
    for text in (" " * 4_000_000 + "a", "[" * 4_000_000, "\"' " * 1_000_000, "[unclear" + " " * 4_000_000):
        is_refusal(text)
        says_no_text(text)
        unclear_places(text)
        is_unclear_throughout(text)
    assert time.monotonic() - began < 20
