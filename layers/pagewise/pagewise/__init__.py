"""Pagewise: upload a document to a bucket, subscribe to its text.

The package is the pure core: it knows no boto3, no Powertools and no environment variables.
Only `pagewise.aws` does, and `pagewise.aws.wiring` is the one place that puts the two together.
"""
