"""Questions of trends and floods, and published scores.

Reads simulations, the domains, skill.csv and the dataset published-scores; writes results/<study>/tables/{trends,peaks}/<domain>/<experiment>.csv
and tables/published.csv with their evidence, and figures of each.
"""

PUBLISHED = plan.published(study)


rule trends:
    input:
        domain=rules.domain.output.domain,
        simulations=simulations(plan.models_of),
    output:
        table=report(
            f"{RESULTS}/tables/trends/{{domain}}/{{experiment}}.csv",
            category="Questions",
            caption="../report/trends_table.rst",
            labels={"domain": "{domain}", "table": "trends, {experiment}"},
        ),
        evidence=f"{RESULTS}/tables/trends/{{domain}}/{{experiment}}_evidence.csv",
    log:
        f"{RESULTS}/logs/trends/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        settings=question_settings,
        code=fingerprint("thalweg.cli.steps.trends"),
    message:
        "Comparing trends of annual flow, {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step trends --simulations {input.simulations} --domain {input.domain} --settings {params.settings:q}"
        " --names {wildcards.domain} {wildcards.experiment} --table {output.table} --evidence {output.evidence} > {log} 2>&1"


rule peaks:
    input:
        domain=rules.domain.output.domain,
        simulations=simulations(plan.models_of),
    output:
        table=report(
            f"{RESULTS}/tables/peaks/{{domain}}/{{experiment}}.csv",
            category="Questions",
            caption="../report/peaks_table.rst",
            labels={"domain": "{domain}", "table": "flood peaks, {experiment}"},
        ),
        evidence=f"{RESULTS}/tables/peaks/{{domain}}/{{experiment}}_evidence.csv",
    log:
        f"{RESULTS}/logs/peaks/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        settings=question_settings,
        code=fingerprint("thalweg.cli.steps.peaks"),
    message:
        "Comparing flood peaks by return period, {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step peaks --simulations {input.simulations} --domain {input.domain} --settings {params.settings:q}"
        " --names {wildcards.domain} {wildcards.experiment} --table {output.table} --evidence {output.evidence} > {log} 2>&1"


rule published:
    input:
        skill=rules.summarise.output.skill,
        published=f"{DATA}/published-scores/dataset.json",
        domains=[f"{RESULTS}/domains/{domain}.nc" for domain in dict(PUBLISHED)],
    output:
        table=report(
            f"{RESULTS}/tables/published.csv",
            category="Skill",
            caption="../report/published_table.rst",
            labels={"domain": "all", "table": "beside published scores"},
        ),
        evidence=f"{RESULTS}/tables/published_evidence.csv",
    log:
        f"{RESULTS}/logs/published.log",
    resources:
        **LIGHT,
    params:
        folder=subpath(input.published, parent=True),
        domains=[f"{domain}={RESULTS}/domains/{domain}.nc" for domain in dict(PUBLISHED)],
        settings=as_json(
            {
                "experiments": {
                    f"{domain}/{experiment}": {
                        "train": list(map(str, study.experiments[domain][experiment].train)),
                        "test": list(map(str, study.experiments[domain][experiment].test)),
                        "ungauged": study.experiments[domain][experiment].held_out,
                    }
                    for domain, experiment in PUBLISHED
                },
                "bootstrap_samples": study.evaluation.bootstrap_samples,
            }
        ),
        code=fingerprint("thalweg.cli.steps.published"),
    message:
        "Holding scores against published ones"
    shell:
        "thalweg step published --skill {input.skill} --published {params.folder} --domains {params.domains} --settings {params.settings:q}"
        " --table {output.table} --evidence {output.evidence} > {log} 2>&1"


rule trends_figure:
    input:
        trends_csv=rules.trends.output.table,
    output:
        **figure_outputs(
            "trends/{domain}/{experiment}", "trends", figure="trends", domain="{domain}", subject="{experiment}"
        ),
    log:
        f"{RESULTS}/logs/figures/trends/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="trends",
        arguments=lambda wildcards, input: as_json(dict(input.items()) | physics_look(wildcards)),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("trends"),
    message:
        "Drawing trends of annual flow, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule peaks_figure:
    input:
        peaks_csv=rules.peaks.output.table,
    output:
        **figure_outputs(
            "peaks/{domain}/{experiment}", "peaks", figure="flood peaks", domain="{domain}", subject="{experiment}"
        ),
    log:
        f"{RESULTS}/logs/figures/peaks/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="peaks",
        arguments=lambda wildcards, input: as_json(dict(input.items()) | physics_look(wildcards)),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("peaks"),
    message:
        "Drawing errors of flood peaks, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule published_figure:
    input:
        skill_csv=rules.summarise.output.skill,
        dataset_folder=f"{DATA}/published-scores/dataset.json",
    output:
        **figure_outputs(
            "published/{domain}/{experiment}",
            "published",
            figure="beside published scores",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/published/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="published",
        arguments=lambda wildcards, input: draw_arguments(
            **physics_look(wildcards),
            test=list(map(str, experiment_of(wildcards).test)),
            ungauged=experiment_of(wildcards).held_out,
        )(wildcards, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("published"),
    message:
        "Drawing scores beside published ones, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


QUESTIONS_PAIRS = [("trends", *run) for run in plan.long_tests(study)] + [
    ("peaks", *run) for run in plan.unseen_floods(study)
]
QUESTIONS_EVIDENCE = [
    f"{RESULTS}/tables/{name}/{domain}/{experiment}_evidence.csv" for name, domain, experiment in QUESTIONS_PAIRS
] + ([rules.published.output.evidence] if PUBLISHED else [])
QUESTIONS_TABLES = [path.replace("_evidence.csv", ".csv") for path in QUESTIONS_EVIDENCE] + QUESTIONS_EVIDENCE
QUESTIONS_FIGURES = [
    f"{RESULTS}/figures/{name}/{domain}/{experiment}.png"
    for name, domain, experiment in QUESTIONS_PAIRS + [("published", *run) for run in PUBLISHED]
]
