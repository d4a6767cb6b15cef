"""Data sets, and how well a model does on them."""
