"""Whether a page has nothing to recognize on it."""


def is_blank(raster):
    return False
