"""Overview: every model in every experiment, skill against the data trained on, and skill against the distance to them.

Reads the tables skill.csv, summary.csv and comparison.csv and the splits; writes results/<study>/tables/{training_data,distance}/<domain>.csv
and figures.
"""


rule skill_overview:
    input:
        summary_csv=rules.summarise.output.summary,
        comparison_csv=rules.summarise.output.comparison,
    output:
        **figure_outputs("skill_overview", "skill_overview", figure="skill, overview", domain="all", subject="medians"),
    log:
        f"{RESULTS}/logs/figures/skill_overview.log",
    resources:
        **LIGHT,
    params:
        name="skill_overview",
        arguments=draw_arguments(labels=LABELS, metrics=["NSE", "KGE"]),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("skill_overview"),
    message:
        "Drawing every model in every experiment"
    shell:
        DRAW


rule training_data:
    input:
        skill=rules.summarise.output.skill,
        domain=rules.domain.output.domain,
    output:
        table=report(
            f"{RESULTS}/tables/training_data/{{domain}}.csv",
            category="Skill",
            caption="../report/training_data.rst",
            labels={"domain": "{domain}", "table": "skill by amount of training data"},
        ),
    log:
        f"{RESULTS}/logs/training_data/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: skill_table_settings(
            plan.shared_models(study, wildcards.domain, plan.levels_of(study, wildcards.domain)),
            sweeps=plan.sweeps(study, wildcards.domain),
        ),
        code=fingerprint("thalweg.cli.steps.skill_tables"),
    message:
        "Tabulating skill by the amount of training data, {wildcards.domain}"
    shell:
        "thalweg step skill_tables --skill {input.skill} --domain {wildcards.domain}={input.domain}"
        " --settings {params.settings:q} --training-data {output.table} > {log} 2>&1"


rule distance:
    input:
        skill=rules.summarise.output.skill,
        domain=rules.domain.output.domain,
        splits=lambda wildcards: [
            f"{RESULTS}/splits/{wildcards.domain}/{experiment}.csv"
            for experiment in plan.ungauged(study)[wildcards.domain]
        ],
    output:
        table=report(
            f"{RESULTS}/tables/distance/{{domain}}.csv",
            category="Skill",
            caption="../report/distance.rst",
            labels={"domain": "{domain}", "table": "skill by distance"},
        ),
    log:
        f"{RESULTS}/logs/distance/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        splits=lambda wildcards, input: [f"{Path(path).stem}={path}" for path in input.splits],
        settings=lambda wildcards: skill_table_settings(
            plan.shared_models(study, wildcards.domain, plan.ungauged(study)[wildcards.domain])
        ),
        code=fingerprint("thalweg.cli.steps.skill_tables"),
    message:
        "Tabulating skill by the distance to gauges that trained, {wildcards.domain}"
    shell:
        "thalweg step skill_tables --skill {input.skill} --domain {wildcards.domain}={input.domain} --splits {params.splits}"
        " --settings {params.settings:q} --distance {output.table} > {log} 2>&1"


rule sparse_data:
    input:
        table_csv=rules.training_data.output.table,
    output:
        **figure_outputs(
            "sparse_data/{domain}", "sparse_data", figure="skill, sparse data", domain="{domain}", subject="medians"
        ),
    log:
        f"{RESULTS}/logs/figures/sparse_data/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        name="sparse_data",
        arguments=lambda wildcards, input: draw_arguments(labels=LABELS)({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("sparse_data"),
    message:
        "Drawing skill against the data trained on, {wildcards.domain}"
    shell:
        DRAW


rule skill_distance:
    input:
        table_csv=rules.distance.output.table,
        skill_csv=rules.summarise.output.skill,
        split_csvs=rules.distance.input.splits,
    output:
        **figure_outputs(
            "skill_distance/{domain}", "skill_distance", figure="skill, distance", domain="{domain}", subject="medians"
        ),
    log:
        f"{RESULTS}/logs/figures/skill_distance/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        name="skill_distance",
        arguments=lambda wildcards, input: draw_arguments(labels=LABELS, split_csvs=by_name(input.split_csvs))(
            {}, input
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("skill_distance"),
    message:
        "Drawing skill against the distance to gauges that trained, {wildcards.domain}"
    shell:
        DRAW


OVERVIEW_FIGURES = [
    f"{RESULTS}/figures/{path}.png"
    for path in (
        *["skill_overview" for _ in plan.main_experiments(study)[:1]],
        *dict.fromkeys(f"sparse_data/{domain}" for domain, _ in plan.sparse(study)),
        *[f"skill_distance/{domain}" for domain in plan.ungauged(study)],
    )
]
TABLES += [
    f"{RESULTS}/tables/{path}.csv"
    for path in (
        *dict.fromkeys(f"training_data/{domain}" for domain, _ in plan.sparse(study)),
        *[f"distance/{domain}" for domain in plan.ungauged(study)],
    )
]
