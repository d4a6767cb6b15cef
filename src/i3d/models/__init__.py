"""Models: what there is, where it comes from, and how to know that it is right."""
