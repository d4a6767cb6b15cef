"""Pages of HTML that need nothing but themselves: style, scripts, data and pictures are in them.

Texts from the outside (names of files, labels) reach a page in two ways: through Jinja's
templates, which escape them, and as JSON, in which `<`, `>`, `&` and `'` are escaped, too. A
content security policy in each page allows its own scripts, by their checksums, and no request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from i3d import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

_ASSETS = files("i3d.report.pages") / "assets"

_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "img-src data:; media-src 'self' data: file:; style-src 'unsafe-inline'; script-src {hashes}"
)
"""Styles are allowed where they stand, for bars have widths. Nothing can be fetched by them."""


def render_document(
    template: str,
    *,
    title: str,
    data: object,
    styles: Sequence[str] = (),
    scripts: Sequence[str],
    **values: object,
) -> str:
    """Render a page.

    Args:
        template: Its template in `templates/`, which extends `base.html`.
        title: What the browser's tab says.
        data: What the scripts get, as plain values for JSON, without lone surrogates.
        styles: Style sheets in `assets/` that go before the page's own, `page.css`.
        scripts: Scripts in `assets/`, in the order in which they run.
        **values: What the template needs.

    Returns:
        The page, which ends with a line end.
    """
    texts = [asset(name) for name in scripts]
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in texts
    ]
    page = _environment().get_template(template)
    return page.render(
        title=title,
        policy=_POLICY.format(hashes=" ".join(f"'sha256-{digest}'" for digest in hashes)),
        data=_json(data),
        css="\n".join(asset(name) for name in (*styles, "page.css")),
        scripts=texts,
        version=__version__,
        **values,
    )


@cache
def asset(name: str) -> str:
    """Read a style sheet or a script; third-party ones come with their licence.

    Args:
        name: Its name in `assets/`.
    """
    text = (_ASSETS / name).read_text("utf-8")
    if name.startswith("uPlot"):
        licence = (_ASSETS / "uPlot-LICENSE.txt").read_text("utf-8")
        return f"/*! uPlot 1.6.32, https://github.com/leeoniya/uPlot\n\n{licence}*/\n{text}"
    return text


def data_url(content: bytes, media_type: str) -> str:
    """Put a file into an address.

    Args:
        content: All of it.
        media_type: `image/jpeg`, `video/mp4`.
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _json(data: object) -> str:
    r"""JSON that can stand in a `script` element: `<` is `\u003c`, and so on."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&'\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("i3d.report.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
