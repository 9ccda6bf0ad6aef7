"""Evaluation: scores at every place, medians with intervals, paired tests, verdicts on claims, cost.

Reads simulations, evidence of analyses and benchmark files; writes results/<study>/scores and the tables skill.csv, summary.csv,
comparison.csv, claims.csv, claims.md, cost.csv and stages.csv.
"""


rule score:
    input:
        simulations=lambda wildcards: [
            f"{RESULTS}/simulations/{wildcards.domain}/{wildcards.experiment}/{name}.nc"
            for name in plan.models_of(study, wildcards.domain, wildcards.experiment)
        ],
    output:
        scores=f"{RESULTS}/scores/{{domain}}/{{experiment}}.csv",
    log:
        f"{RESULTS}/logs/score/{{domain}}/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{{domain}}/{{experiment}}.tsv"
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: as_json(
            plan.score_settings(study, study.experiments[wildcards.domain][wildcards.experiment])
        ),
        study=study.study,
        code=code_of("thalweg.cli.steps.score", plan.score_settings(study)),
    message:
        "Scoring every model on {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step score --simulations {input.simulations} --study {params.study} --settings {params.settings:q}"
        " --output {output.scores} > {log} 2>&1"


use rule score as score_estimates with:
    input:
        simulations=f"{RESULTS}/simulations/{{estimator}}.nc",
    output:
        scores=f"{RESULTS}/scores/{{estimator}}.csv",
    log:
        f"{RESULTS}/logs/score/{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score/{{estimator}}.tsv"
    wildcard_constraints:
        estimator="|".join(ESTIMATORS) or "(?!)",
    params:
        settings=as_json(plan.score_settings(study)),
        study=study.study,
        code=code_of("thalweg.cli.steps.score", plan.score_settings(study)),
    message:
        "Scoring every model of {wildcards.estimator}"


rule summarise:
    input:
        scores=SCORES,
        domains=DOMAIN_FILES,
    output:
        skill=f"{RESULTS}/tables/skill.csv",
        summary=table("tables/summary", "summary", "Skill"),
        comparison=table("tables/comparison", "paired tests", "Skill"),
    log:
        f"{RESULTS}/logs/summarise.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise.tsv"
    resources:
        **LIGHT,
    params:
        domains=BLOCKS,
        settings=as_json(plan.summary_settings(study)),
        code=code_of("thalweg.cli.steps.summarise", plan.score_settings(study)),
    message:
        "Summarising scores"
    shell:
        "thalweg step summarise --scores {input.scores} --domains {params.domains} --settings {params.settings:q} --skill {output.skill}"
        " --summary {output.summary} --comparison {output.comparison} > {log} 2>&1"


rule claims:
    input:
        skill=rules.summarise.output.skill,
        evidence=EVIDENCE,
        domains=DOMAIN_FILES,
    output:
        claims=table("tables/claims", "all claims", "Claims"),
        page=f"{RESULTS}/tables/claims.md",
    log:
        f"{RESULTS}/logs/claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims.tsv"
    resources:
        **LIGHT,
    params:
        domains=BLOCKS,
        settings=as_json(plan.claims_settings(study)),
        study=study.study,
        code=code_of("thalweg.cli.steps.claims", plan.score_settings(study)),
    message:
        "Judging the claims"
    shell:
        "thalweg step claims --skill {input.skill} --evidence {input.evidence} --domains {params.domains} --settings {params.settings:q}"
        " --study {params.study} --output {output.claims} --page {output.page} > {log} 2>&1"


rule cost:
    input:
        RESULT_FILES,
    output:
        cost=table("tables/cost", "cost of each run", "Cost"),
        stages=table("tables/stages", "cost of each stage", "Cost"),
    log:
        f"{RESULTS}/logs/cost.log",
    resources:
        **LIGHT,
    params:
        results=subpath(output.cost, ancestor=2),
        runs=["/".join(run) for run in RUNS],
        estimates=plan.estimates(study),
        code=fingerprint("thalweg.cli.steps.cost"),
    message:
        "Reporting run time, memory and optimiser steps"
    shell:
        "thalweg step cost --results {params.results} --runs {params.runs} --estimates {params.estimates}"
        " --output {output.cost} --stages {output.stages} > {log} 2>&1"
