"""Videos: found, probed, decoded, and turned into the frames that a model sees."""
