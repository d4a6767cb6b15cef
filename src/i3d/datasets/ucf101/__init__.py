"""UCF101: 13,320 clips of 101 categories (arXiv:1212.0402)."""
