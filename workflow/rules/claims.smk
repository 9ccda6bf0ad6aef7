"""Claims: a verdict on everything that the study claims, from scores and evidence.

Reads the table skill.csv, the tables of evidence and the domains; writes results/<study>/tables/claims.csv and claims.md and
the figure claims.
"""

EVIDENCE = [
    *PHYSICS_EVIDENCE,
    *QUESTIONS_EVIDENCE,
    *[path for path in WHICH_PRIOR_TABLES if path.endswith("evidence.csv")],
]
CLAIMS = {name: claim for name, claim in study.claims.items() if claim.experiment.split("/")[0] in DOMAINS}


rule claims:
    input:
        skill=rules.summarise.output.skill,
        evidence=EVIDENCE,
        domains=[f"{RESULTS}/domains/{domain}.nc" for domain in DOMAINS],
    output:
        claims=report(
            f"{RESULTS}/tables/claims.csv",
            category="Claims",
            caption="../report/claims.rst",
            labels={"subject": "all claims", "form": "table"},
        ),
        page=f"{RESULTS}/tables/claims.md",
    log:
        f"{RESULTS}/logs/claims.log",
    resources:
        **LIGHT,
    params:
        domains=BLOCKS,
        settings=as_json(
            {
                "claims": {name: claim.model_dump(mode="json") for name, claim in CLAIMS.items()},
                "bootstrap_samples": study.evaluation.bootstrap_samples,
            }
        ),
        study=study.study,
        code=code_of("thalweg.cli.steps.claims", plan.score_settings(study)),
    message:
        "Judging the claims"
    shell:
        "thalweg step claims --skill {input.skill} --evidence {input.evidence} --domains {params.domains} --settings {params.settings:q}"
        " --study {params.study} --output {output.claims} --page {output.page} > {log} 2>&1"


rule claims_figure:
    input:
        claims_csv=rules.claims.output.claims,
    output:
        png=report(
            f"{RESULTS}/figures/claims.png",
            category="Claims",
            caption="../report/claims_figure.rst",
            labels={"subject": "all claims", "form": "figure"},
        ),
        pdf=f"{RESULTS}/figures/claims.pdf",
    log:
        f"{RESULTS}/logs/figures/claims.log",
    resources:
        **LIGHT,
    params:
        name="claims",
        arguments=draw_arguments(title=f"What the study {study.study} claims, and what becomes of it"),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("claims"),
    message:
        "Drawing claims and verdicts"
    shell:
        DRAW


CLAIMS_TABLES = list(rules.claims.output) if RUNS and CLAIMS else []
CLAIMS_FIGURES = list(rules.claims_figure.output) if RUNS and CLAIMS else []
