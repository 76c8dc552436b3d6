"""What an explorer leaves behind in a notebook, read back."""

import base64
import html
import re


def left_behind(data):
    """The alternative text of the picture in a bundle; raises AssertionError where it is no PNG."""
    alt, picture = re.search(
        r'<img alt="([^"]*)".*src="data:image/png;base64,([^"]*)"', data["text/html"]
    ).groups()
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in data
    return html.unescape(alt)
