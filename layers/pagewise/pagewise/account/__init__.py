"""The account of a document: results, pages, the document's end, money, and their events."""
