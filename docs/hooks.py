"""Events of mkdocs: pages that are made from the code, numbers that are filled in, references that become links."""

import html
import re
import sys
from pathlib import Path

from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import from_code
import macros
import notebooks

CONFIGURATION = "reference/configuration.md"
ROLE = re.compile(r":(?:func|class|mod|data|attr|meth):<code>~?((?:\w+\.)*)(\w+)</code>")


class AsWritten(Extension):
    """In docstrings ``d**2`` is a power, not the beginning of bold text, and ``<study>`` a name, not a tag."""

    def extendMarkdown(self, markdown):
        for priority, pattern in enumerate((r"(?<=[\w)])\*\*(?=[\w(])", r"<(?!(?:br|sub|sup)>)[a-z_]+>"), start=185):
            markdown.inlinePatterns.register(Literal(pattern, markdown), pattern, priority)


class Literal(InlineProcessor):
    def handleMatch(self, match, _):
        return self.md.htmlStash.store(html.escape(match[0])), match.start(0), match.end(0)


def on_config(config):
    """Fill the lists of processes and rooms into the navigation."""
    config["markdown_extensions"].append(AsWritten())
    lists = {
        "Processes": [{name: f"science/processes/{name}.md"} for name in from_code.process_names()],
        "Python": [{name: f"reference/api/{name}.md"} for name in from_code.room_names()],
    }
    sections = [pages for section in config["nav"] for pages in section.values() if isinstance(pages, list)]
    for page in (page for pages in sections for page in pages if isinstance(page, dict)):
        for title, inner in page.items():
            inner.extend(lists[title]) if title in lists else None
    return config


def on_files(files, config):
    """Add a page for every process, every room and every tutorial, and one for the configuration."""
    made = {f"science/processes/{name}.md": from_code.process_page(name) for name in from_code.process_names()}
    made |= {f"reference/api/{name}.md": from_code.room_page(name) for name in from_code.room_names()}
    for name, path in notebooks.paths().items():
        text, pictures = notebooks.page(path)
        made[f"tutorials/{name}.md"] = text
        made |= {f"tutorials/{picture}": content for picture, content in pictures.items()}
    if CONFIGURATION not in files.src_uris:
        made[CONFIGURATION] = _configuration()
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))
    return files


def _configuration():
    try:
        from thalweg.settings.reference import page
    except ImportError:
        return "# Configuration\n\n`config/config.yaml` holds every key with its meaning and default.\n"
    return page()


def on_page_markdown(markdown, page, **_):
    """Fill in the numbers of a page that is written by hand."""
    return markdown if page.file.generated_by else macros.render(markdown)


def on_page_content(content, **_):
    """References in docstrings become links, where the site has what they name."""
    return ROLE.sub(r'<autoref optional identifier="\1\2"><code>\2</code></autoref>', content)
