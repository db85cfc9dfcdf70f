from local.engine.recognition.page import Page, Picture
class Table:
    def html(self) -> str: return ""
def find_tables(picture: Picture, page: Page) -> list[Table]: return []
