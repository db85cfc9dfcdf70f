"""Names of common fields in Chinese, so that an English key finds its label on a Chinese document.

The documented example of key information extraction asks a Chinese coach ticket for "Invoice Code".
"""

from __future__ import annotations

TRANSLATIONS: dict[str, tuple[str, ...]] = {
    "invoice code": ("发票代码",),
    "invoice number": ("发票号码", "发票号"),
    "invoice date": ("开票日期",),
    "ride date": ("乘车日期", "日期"),
    "date": ("日期",),
    "departure time": ("开车时间", "发车时间"),
    "departure station": ("始发站", "出发站", "上车站"),
    "destination station": ("到站", "到达站", "终点站"),
    "train number": ("车次",),
    "seat number": ("座号", "座位号"),
    "ticket price": ("票价",),
    "ticket gate": ("检票口",),
    "price": ("票价", "价格", "单价"),
    "amount": ("金额",),
    "total": ("合计", "总计", "总额"),
    "name": ("姓名", "名称"),
    "passenger name": ("姓名", "旅客姓名"),
    "id card number": ("身份证号", "公民身份号码"),
    "address": ("地址", "住址"),
    "phone": ("电话", "联系电话"),
    "company": ("公司", "单位"),
    "seller": ("销售方",),
    "buyer": ("购买方",),
    "tax": ("税额",),
    "quantity": ("数量",),
    "unit price": ("单价",),
}
