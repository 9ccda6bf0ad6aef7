"""thalweg claims: scores, evidence and domains in; a verdict on every claim out, as a table and as a page."""

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.claims import judge, page
from thalweg.evaluation.evidence import read_evidence
from thalweg.evaluation.statistics import read_skill
from thalweg.schema import settings_from
from thalweg.settings.claims import ClaimsJob
from thalweg.storage.store import atomic, provenance, write_table


def arguments(parser):
    parser.add_argument("--skill", required=True, help="all scores, CSV")
    parser.add_argument("--evidence", nargs="*", default=[], help="tables of evidence, CSV")
    parser.add_argument("--domains", nargs="*", default=[], metavar="NAME=PATH", help="domains, for blocks of places")
    parser.add_argument("--settings", required=True, help="claims and bootstrap_samples, as JSON")
    parser.add_argument("--study", required=True, help="name of the study, for the page's title")
    parser.add_argument("--output", required=True, help="verdicts, CSV")
    parser.add_argument("--page", required=True, help="verdicts, Markdown")


def run(args):
    settings = settings_from(ClaimsJob, args.settings)
    domains = dict(text.split("=", 1) for text in args.domains)
    evidence = [read_evidence(path) for path in args.evidence]
    blocks = {name: read_blocks(path) for name, path in domains.items()}
    table = judge(read_skill(args.skill), evidence, blocks, settings.claims, settings.bootstrap_samples)
    record = provenance(settings.model_dump(mode="json"), inputs=[args.skill, *args.evidence, *domains.values()])
    write_table(table, args.output, record)
    with atomic(args.page) as temporary:
        temporary.write_text(page(table, f"The claims of the study {args.study}"))
