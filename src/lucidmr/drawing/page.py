"""The HTML page around a report: no external resource, no script, nothing that could be loaded from elsewhere."""

from html import escape
from typing import Final

_STYLE: Final = """
body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#1c2026;background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.4em .7em;text-align:left;border-bottom:1px solid #d8dce2}
.notice{color:#5a6270}
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole HTML document.

    Args:
        title: Its title, any text.
        body: What it shows, as HTML.
        style: CSS beside that of every page.

    Returns:
        The document.
    """
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title><style>{_STYLE}{style}</style></head>
<body><h1>{escape(title)}</h1><p class="notice">Research use only. Not a medical device.</p>
{body}</body></html>
"""
