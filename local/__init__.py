"""Pagewise on one machine: template.yaml deployed into an emulator, its functions run as Lambda runs them."""
