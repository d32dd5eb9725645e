"""From templates to a page: everything is escaped, and nothing but the package's own files gets in."""

from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from foam_cli.core.text import visible

_TEMPLATES = ("frame.html.j2", "parts.html.j2", "page.html.j2", "study.html.j2")


def render(template: str, context: dict[str, Any]) -> str:
    """Fill in a template.

    Args:
        template: One of the package's own.
        context: Its variables; only what is marked as such is markup.

    Returns:
        The page.
    """
    here = files("foam_cli.report")
    sources = {name: (here / name).read_text(encoding="utf-8") for name in _TEMPLATES}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    style = Markup((here / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **context)


def _visible(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
