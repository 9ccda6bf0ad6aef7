"""Which prior is better? Where the answer is known, because a known prior made the discharge; then on what was observed.

Reads the domain of the block which_prior, and skill.csv and comparison.csv; writes
results/<study>/tables/which_prior/<domain>/{scores,confusion,margins,evidence}.csv and figures.
"""


rule which_prior:
    input:
        domain=rules.domain.output.domain,
    output:
        scores=f"{RESULTS}/tables/which_prior/{{domain}}/scores.csv",
        confusion=report(
            f"{RESULTS}/tables/which_prior/{{domain}}/confusion.csv",
            category="Priors",
            caption="../report/which_prior_confusion.rst",
            labels={"domain": "{domain}", "table": "made by, learned by"},
        ),
        margins=report(
            f"{RESULTS}/tables/which_prior/{{domain}}/margins.csv",
            category="Priors",
            caption="../report/which_prior_margins.rst",
            labels={"domain": "{domain}", "table": "own prior and the best other"},
        ),
        evidence=f"{RESULTS}/tables/which_prior/{{domain}}/evidence.csv",
    log:
        f"{RESULTS}/logs/which_prior/{{domain}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/which_prior/{{domain}}.tsv"
    threads: study.threads
    resources:
        mem="4GB",
        runtime="4h",
    params:
        settings=as_json(study.which_prior) if study.which_prior else "",
        checkpoints=f"{RESULTS}/checkpoints/which_prior/{{domain}}",
        code=code_of("thalweg.cli.steps.which_prior", as_json(study.which_prior or {})),
    message:
        "Asking on {wildcards.domain} which prior made the discharge"
    shell:
        "thalweg step which_prior --domain {input.domain} --settings {params.settings:q} --checkpoints {params.checkpoints}"
        " --threads {threads} --scores {output.scores} --confusion {output.confusion} --margins {output.margins}"
        " --evidence {output.evidence} 2> {log}"


rule which_prior_figure:
    input:
        confusion_csv=rules.which_prior.output.confusion,
    output:
        **figure_outputs(
            "which_prior/{domain}",
            "which_prior",
            figure="which prior made it",
            domain="{domain}",
            subject="synthetic truth",
        ),
    log:
        f"{RESULTS}/logs/figures/which_prior/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        name="which_prior",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("which_prior"),
    message:
        "Drawing which prior made the discharge, {wildcards.domain}"
    shell:
        DRAW


rule prior_ranking:
    input:
        skill_csv=rules.summarise.output.skill,
        comparison_csv=rules.summarise.output.comparison,
    output:
        **figure_outputs(
            "prior_ranking/{domain}/{experiment}",
            "prior_ranking",
            figure="priors, ranked",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/prior_ranking/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="prior_ranking",
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS, models=plan.compared_processes(study, wildcards.domain, wildcards.experiment)
        )(wildcards, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("prior_ranking"),
    message:
        "Ranking priors, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


WHICH_PRIOR_TABLES = [
    f"{RESULTS}/tables/which_prior/{study.which_prior.domain}/{name}.csv"
    for name in ("confusion", "margins", "evidence")
    if study.which_prior
]
WHICH_PRIOR_FIGURES = [
    *[f"{RESULTS}/figures/which_prior/{study.which_prior.domain}.png" for _ in (1,) if study.which_prior],
    *[
        f"{RESULTS}/figures/prior_ranking/{domain}/{experiment}.png"
        for domain, experiment in plan.ranked_processes(study)
    ],
]
