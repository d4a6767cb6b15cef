"""Pictures for people: previews, stills, annotated videos."""
