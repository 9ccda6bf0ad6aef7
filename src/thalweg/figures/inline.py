"""A directive of reStructuredText for the report: a figure whose file is embedded in the page."""

import base64
from pathlib import Path

from docutils.parsers.rst.directives import register_directive
from docutils.parsers.rst.directives.images import Figure


class InlineFigure(Figure):
    """``.. inline-figure:: PATH``, like ``figure``; the PNG is embedded as a data URI."""

    def run(self):
        content = base64.b64encode(Path(self.arguments[0]).read_bytes()).decode()
        self.arguments[0] = f"data:image/png;base64,{content}"
        return super().run()


def register():
    """Let the report's pages use the directive."""
    register_directive("inline-figure", InlineFigure)
