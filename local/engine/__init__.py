"""The embedded engine: Alibaba's Qwen-OCR service, played by real local OCR.

It speaks the service's protocol and keeps its rules, and it stands in for a foreign service:
nothing here imports Pagewise.
"""
