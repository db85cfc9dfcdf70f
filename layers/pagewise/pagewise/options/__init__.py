"""An uploader's requests for a document: by metadata, by a profile, by rules for its fields."""
