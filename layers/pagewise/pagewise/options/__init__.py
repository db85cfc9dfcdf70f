"""What an uploader asks for with a document: by metadata, by a profile, by rules for its fields."""
