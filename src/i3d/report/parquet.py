"""Results as a Parquet table. The only importer of pyarrow, which is an extra of the package."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from i3d.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from i3d.report.rows import Row

_NUM_ROWS = 2**16
"""Rows of a row group, which are handled at once: some 50 MB."""


def check_pyarrow() -> None:
    """Make sure that tables can be read and written.

    Raises:
        UsageError: pyarrow is not installed, or does not work.
    """
    try:
        import pyarrow.parquet  # noqa: F401  (only to see whether it can be)
    except ImportError as error:
        raise UsageError(
            f"Results as Parquet need pyarrow, which can't be imported: {error}.",
            hint="Install it: pip install 'i3d[parquet]'. Or write CSV.",
        ) from error


def write_rows(file: BinaryIO, rows: Iterable[Row]) -> None:
    """Write rows as a table."""
    import msgspec
    import pyarrow as pa
    from pyarrow import parquet

    left = iter(rows)
    with parquet.ParquetWriter(file, _schema(), write_page_checksum=True) as writer:
        while some := [msgspec.structs.asdict(row) for row in islice(left, _NUM_ROWS)]:
            writer.write_table(pa.Table.from_pylist(some, _schema()))


def read_rows(file: BinaryIO) -> Iterator[Row]:
    """Read what `write_rows` wrote, each page compared with its checksum.

    Raises:
        UsageError: pyarrow is not installed.
        ValueError: It is something else, or damaged.
    """
    check_pyarrow()
    import msgspec
    import pyarrow as pa
    from pyarrow import parquet

    from i3d.report.rows import Row

    try:
        table = parquet.ParquetFile(file, page_checksum_verification=True)
        if not table.schema_arrow.equals(_schema()):
            raise ValueError("its columns are not those that i3d writes")
        for batch in table.iter_batches(_NUM_ROWS):
            for values in batch.to_pylist():
                yield msgspec.convert(values, Row)
    except (OSError, UnicodeDecodeError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error


def _schema() -> Any:
    import msgspec
    import pyarrow as pa

    from i3d.report.rows import Row

    def kind(annotation: object) -> Any:
        text = str(annotation)
        return pa.int64() if "int" in text else pa.float64() if "float" in text else pa.string()

    return pa.schema([(field.name, kind(field.type)) for field in msgspec.structs.fields(Row)])
