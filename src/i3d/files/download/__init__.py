"""From a web address to a verified file. Knows no model and no dataset."""
