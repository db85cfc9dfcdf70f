"""From an uploaded file to page images."""
