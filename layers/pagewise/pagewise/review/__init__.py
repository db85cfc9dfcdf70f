"""What is doubtful in a document, and what a person says of it."""
