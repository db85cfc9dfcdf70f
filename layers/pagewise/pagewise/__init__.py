"""Pagewise: upload a document to a bucket, subscribe to its text. This is its core; docs/architecture.md is the map.

    use_cases/   split, recognize, redrive, sweep, give_up: called by the handlers
    account/     results, pages and documents in the ledger; receipts, spending, reuse
    options/     an uploader's requests: metadata, profiles, rules
    qwen/        the engine: questions, two protocols, answers read as results, tokens
    rate/        the model account's requests and tokens a minute
    pages/       from a file to page images
    model, tasks, errors, events, messages, results, geometry, ports, table: the language of all rooms
    aws/         adapters of the ports, the environment, and the wiring of all rooms

An upload goes options → pages → account → queues (use_cases/split); a page job goes account → rate → qwen → account
(use_cases/recognize). A room imports from those below it in this list. Only `aws` knows botocore, Powertools and
environment variables.
"""
