"""UCF101's clips as files: fetched when they are needed, checked, and kept."""
