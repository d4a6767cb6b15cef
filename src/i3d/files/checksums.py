"""Checksums of bytes."""

from __future__ import annotations


def crc32c(data: bytes, crc: int = 0) -> int:
    """CRC-32C of bytes; or of others, whose CRC-32C is `crc`, followed by these."""
    import google_crc32c

    return int(google_crc32c.extend(crc, data))
