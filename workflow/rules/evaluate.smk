"""Evaluation: scores at every place, medians with intervals, paired tests.

Reads simulations; writes results/<study>/scores and the tables skill.csv, summary.csv and comparison.csv.
"""


rule score:
    input:
        simulation=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    output:
        scores=f"{RESULTS}/scores/{{domain}}/{{experiment}}/{{model}}.csv",
    log:
        f"{RESULTS}/logs/score/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: as_json(plan.score_settings(study, experiment_of(wildcards))),
        study=study.study,
        code=code_of("thalweg.cli.steps.score", plan.score_settings(study)),
    message:
        "Scoring {wildcards.model} on {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step score --simulation {input.simulation} --study {params.study} --settings {params.settings:q} --output {output.scores} > {log} 2>&1"


use rule score as score_estimates with:
    input:
        simulation=f"{RESULTS}/simulations/{{estimator}}.nc",
    output:
        scores=f"{RESULTS}/scores/{{estimator}}.csv",
    log:
        f"{RESULTS}/logs/score/{{estimator}}.log",
    wildcard_constraints:
        estimator="|".join(ESTIMATORS) or "(?!)",
    params:
        settings=as_json(plan.score_settings(study)),
        study=study.study,
        code=code_of("thalweg.cli.steps.score", plan.score_settings(study)),
    message:
        "Scoring what is estimated of {wildcards.estimator}"


rule summarise:
    input:
        scores=[f"{RESULTS}/scores/{'/'.join(run)}.csv" for run in (*RUNS, *zip(ESTIMATORS))],
        domains=[block.split("=")[1] for block in BLOCKS],
    output:
        skill=f"{RESULTS}/tables/skill.csv",
        summary=report(
            f"{RESULTS}/tables/summary.csv",
            category="Skill",
            caption="../report/summary.rst",
            labels={"domain": "all", "table": "summary"},
        ),
        comparison=report(
            f"{RESULTS}/tables/comparison.csv",
            category="Skill",
            caption="../report/comparison.rst",
            labels={"domain": "all", "table": "paired tests"},
        ),
    log:
        f"{RESULTS}/logs/summarise.log",
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


TABLES = [*(rules.summarise.output if RUNS or ESTIMATORS else [])]
