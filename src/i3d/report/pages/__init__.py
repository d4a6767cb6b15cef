"""Results as pages of HTML that are looked at in a browser, from a file, without a network."""
