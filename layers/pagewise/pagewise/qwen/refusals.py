"""Answers that speak of the page instead of reading it.

A refusal is a short answer that begins by one, in the model's own voice: on a page such a sentence stands amidst
others.
Marks such as [unclear] stand for a part of the page that the model could not read.
"""

from __future__ import annotations

import re

# The longest refusals seen have two sentences; a page that begins by such words goes on.
LONGEST_REFUSAL = 400
START = r"\A[\s\"'“”‘’*_#>`.·-]*(?:json|markdown|html|latex)?[\s\"'“{\[:]*(?:(?:error|message|text|result)[\"':\s]+)?"
SORRY = (
    r"(?:(?:i['’]?m|i am|we are|we['’]re)?\s*(?:(?:really|very|so|deeply)\s+)?sorry|apolog(?:ies|y)|my apologies|"
    r"i apologi[sz]e|unfortunately)[\s,.!:;—-]*(?:but|for (?:the|any) \w+)?[\s,.!:;—-]*"
)
CANNOT = (
    r"(?:i|we)\s*(?:['’]m|\s+am|['’]re|\s+are)?\s*(?:currently\s+|still\s+)?"
    r"(?:can['’]?t|can\s*not|could(?:n['’]t| not)|(?:am\s+)?not able to|(?:am\s+)?unable to|do(?:n['’]t"
    r"| not) have (?:the )?"
    r"(?:ability|capability)(?: to)?|won['’]t be able to)\s+(?:\w+ly\s+)?"
    r"(?:read|see|view|process|analy[sz]e|recogni[sz]e|extract|transcribe|identify|interpret|access|open|assist|help|"
    r"provide|fulfil|fulfill|comply|perform|complete|decipher|make out|directly)\b"
)
ABOUT = (
    r"(?=[^.;\n]{0,100}\b(?:images?|pictures?|photos?|documents?|page|scan|file|text|contents?|requests?)\b"
    r"|\s+(?:with\s+)?(?:this|that|it|them)\s*[.!]?\s*\Z)"
)
ENGLISH = (
    rf"(?:{SORRY})?(?:as an? (?:ai|artificial intelligence|large)\b[^.\n]{{0,80}}?[,.]?\s*)?{CANNOT}{ABOUT}"
    r"|as an? (?:ai|artificial intelligence|large language) (?:language )?(?:model|assistant)\b"
    r"|(?:unable to|cannot|can['’]t|could not|failed to) (?:read|process|recogni[sz]e|extract|view|analy[sz]e) "
    r"(?:text from |any text |the text |the content )?(?:in |of |on |from )?(?:the|this|your) (?:image|picture"
    r"|photo|document|page)\b"
    r"|(?:the|this|your) (?:image|picture|photo|document|page|text)(?: \w+){0,3} is (?:too (?:blurry|small|dark"
    r"|unclear|low)|"
    r"blurry|not (?:clear|legible|readable)|illegible|unreadable)\b"
    r"|(?:please|could you(?: please)?|can you(?: please)?) (?:provide|upload|share|send)(?: me)? (?:a |an |the )?"
    r"(?:clearer|better|sharper|larger|different|higher[ -]\w+) (?:\w+ )?(?:image|picture|photo|scan|version)\b"
)
CHINESE = (
    r"(?:(?:非常|很|十分)?(?:抱歉|对不起|對不起|不好意思|很遗憾|遗憾)[，,。.！!\s]*)?"
    r"(?:(?:我|我们|作为(?:一个|一款)?(?:AI|人工智能)[^，,。\n]{0,20}[，,]?我?)(?:目前|暂时|現在|现在)?)"
    r"(?:无法|不能|無法|没有办法|沒有辦法|没办法|未能)[^。\n]{0,12}"
    r"(?:识别|識別|读取|讀取|辨认|查看|看到|看清|处理|處理|分析|提取|理解|解析|回答|提供|帮助|满足)"
    r"|(?:非常|很|十分)?(?:抱歉|对不起|對不起|不好意思)[，,。.！!\s]*(?:无法|不能|無法|未能|该|这|图)"
    r"|(?:无法|無法|不能|未能)(?:识别|識別|读取|讀取|辨认|查看|处理|處理|提取|解析)(?:该|此|这|這|这张|您|图|圖|出)"
    r"|(?:图片|图像|圖片|照片|页面)(?:内容)?(?:太|过于|过)?(?:模糊|不清晰|不清楚)"
    r"|请(?:您)?(?:提供|上传|重新上传)[^。\n]{0,10}(?:图片|图像|照片|文件)"
)
OTHERS = (
    r"(?:(?:es tut mir leid|tut mir leid|entschuldigung|leider)[\s,.!]*(?:aber )?)?"
    r"(?:ich kann|kann ich|ich bin nicht in der lage)\b[^.\n]{0,60}\b(?:bild|foto|dokument|seite|text)\b[^.\n]{0,40}"
    r"(?:nicht|kein|lesen|erkennen|verarbeiten)"
    r"|(?:(?:je suis |vraiment )?désolée?[\s,.!]*(?:mais )?)?je (?:ne (?:peux|parviens|suis)"
    r"|n['’]arrive) pas\b[^.\n]{0,60}"
    r"\b(?:image|photo|document|page|texte)\b"
    r"|(?:lo siento|disculpa|perdón|lamento)[\s,.!]*(?:pero )?no (?:puedo|es posible|me es posible)\b"
    r"|no puedo (?:leer|ver|procesar|reconocer|extraer|analizar)\b[^.\n]{0,40}\b(?:imagen|foto|documento|página"
    r"|texto)\b"
    r"|(?:desculpe|sinto muito|lamento)[\s,.!]*(?:mas )?(?:eu )?não (?:posso|consigo)\b"
    r"|não (?:posso|consigo) (?:ler|ver|processar|reconhecer|extrair)\b[^.\n]{0,40}\b(?:imagem|foto|documento"
    r"|página|texto)\b"
    r"|(?:mi dispiace|spiacente)[\s,.!]*(?:ma )?non (?:posso|riesco)\b"
    r"|non (?:posso|riesco a) (?:leggere|vedere|elaborare|riconoscere|estrarre)\b[^.\n]{0,40}\b(?:immagine|foto"
    r"|documento|pagina|testo)\b"
    r"|(?:извините|простите|к сожалению)[\s,.!]*(?:но )?я? ?(?:не могу|не удалось|не в состоянии)\b"
    r"|я не могу (?:прочитать|распознать|обработать|увидеть|просмотреть|извлечь)\b"
    r"|(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい)[^\n]{0,40}(?:画像|写真|文字|読み取|認識|でき)"
    r"|(?:この)?(?:画像|写真)[^\n。]{0,20}(?:読み取れません|読み取ることができません|認識できません)"
    r"|죄송(?:합니다|하지만)[^\n]{0,40}(?:이미지|사진|텍스트|글자|읽을|인식)"
    r"|(?:이미지|사진)[^\n.]{0,20}(?:읽을 수 없|인식할 수 없)"
    r"|(?:xin lỗi|rất tiếc)[\s,.!]*(?:nhưng )?(?:tôi )?không thể\b"
    r"|(?:عذر[اً]+|آسف|أعتذر|للأسف)[\s،,.!]*(?:لكن )?(?:لا أستطيع|لا يمكنني|لم أتمكن)"
)
REFUSAL = re.compile(f"{START}(?:{ENGLISH}|{CHINESE}|{OTHERS})", re.IGNORECASE)
NO_TEXT = re.compile(
    f"{START}(?:"
    r"(?:there (?:is|are|was|appears to be|seems to be)|i (?:see|found|can see|detect)) no (?:\w+ ){0,3}(?:text"
    r"|words|writing|content|tables?|formulas?)\b"
    r"|no (?:\w+ ){0,2}(?:text|content|table|formula)s? (?:is |was |were |are )?(?:found|detected|visible"
    r"|present|recogni[sz]ed|in (?:the|this))\b"
    r"|(?:the|this) (?:image|picture|photo|page|document) (?:is (?:blank|empty)|(?:does(?:n['’]t"
    r"| not) (?:contain|have|show)|contains no|has no) )"
    r"|(?:图片|图像|圖片|照片|页面|该图|图)(?:中|里|内|上)?(?:没有|沒有|不包含|不含|未包含|无|未发现)[^。\n]{0,8}(?:文字|文本|内容|表格|公式)"
    r"|(?:没有|未)(?:检测|识别|发现)到?[^。\n]{0,6}(?:文字|文本|内容)"
    r")",
    re.IGNORECASE,
)
UNCLEAR = re.compile(
    r"[\[(（【<{]\s{0,5}(?:unclear|illegible|unreadable|indecipherable|unintelligible|not (?:legible|readable|clear)"
    r"|unleserlich|"
    r"illisible|ilegible|ilegível|illeggibile|неразборчиво|判読不能|読み取り不能|不明瞭|판독 ?불가|không rõ|غير واضح|"
    r"无法(?:辨认|识别)|無法(?:辨認|識別)|看不清|模糊(?:不清)?|字迹(?:不清|模糊)|不清(?:楚|晰)?)"
    r"(?:[\s:,]{1,5}[\w ]{1,30})?\s{0,5}[\])）】>}]",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether an answer is the model's own: that it cannot read, or will not."""
    said = text.strip()
    return len(said) <= LONGEST_REFUSAL and REFUSAL.match(said) is not None


def says_no_text(text: str) -> bool:
    """Whether an answer is the model's own, that the page has no text."""
    said = text.strip()
    return len(said) <= LONGEST_REFUSAL and NO_TEXT.match(said) is not None


def unclear_places(text: str) -> int:
    return sum(1 for _ in UNCLEAR.finditer(text))


def is_unclear_throughout(text: str) -> bool:
    """Whether there are such marks, and no letter or digit beside them."""
    rest, marks = UNCLEAR.subn("", re.sub(r"<[^<>]{0,1000}>", " ", text))
    return bool(marks) and not any(letter.isalnum() for letter in rest)
