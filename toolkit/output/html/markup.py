"""The one way in which text gets into a page: escaped, and without characters that no page may hold."""

from __future__ import annotations

import html

from toolkit.output.plain import show_controls


def escape(text: str) -> str:
    """Foreign text for an element or an attribute in double quotes."""
    return html.escape(show_controls(text))


def tag(name: str, content: str = "", **attributes: str | float) -> str:
    """An element around markup; attributes are escaped, content is already. `class_` is `class`, `x_y` is `x-y`."""
    written = "".join(f' {_spell(key)}="{escape(_show(value))}"' for key, value in attributes.items())
    return f"<{name}{written}>{content}</{name}>"


def _spell(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _show(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def percent(share: float) -> str:
    """A share of the width: 0.25 -> 25%."""
    return f"{share * 100:.3f}".rstrip("0").rstrip(".") + "%"


def section(title: str, *parts: str, note: str = "") -> str:
    """A part of the page with a heading; nothing without parts."""
    if not any(parts):
        return ""
    notes = tag("p", escape(note), class_="note") if note else ""
    return tag("section", tag("h2", escape(title)) + notes + "".join(parts)) + "\n"
