"""A document's outputs, made of its stored results: text, Markdown, HTML, LaTeX, tables, a searchable PDF, boxes drawn,
fields grounded, and the manifest of them all.

    assembly     assemble(document, pages, wanted, to) -> Manifest: all of it, one output after the other
    workshop     the bounded process that makes them
    contents → page_blocks (latex_reader, html_reader) → plain_text, markdown, web_page, latex
                                                       → tables → joining → table_files
    placement → text_layer (directions, invisible_font) → searchable_pdf (own_text)
    boxes; grounding → fields; manifest; wanted

Imports: the language (model, results, tasks, errors, geometry), never an adapter. The libraries of the layer `outputs`
are imported in the workshop's process only: assembly needs none of them.
"""
