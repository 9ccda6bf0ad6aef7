"""Overview: every model in every experiment, skill against the data trained on, and skill against the distance to them.

Reads the tables skill.csv, summary.csv and comparison.csv and the splits; writes results/<study>/figures/skill_overview and
{sparse_data,skill_distance}/<domain>.
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


rule sparse_data:
    input:
        skill_csv=rules.summarise.output.skill,
        domain_path=rules.domain.output.domain,
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
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS,
            sweeps={
                name: levels for (domain, name), levels in plan.sparse(study).items() if domain == wildcards.domain
            },
            models=plan.shared_models(
                study,
                wildcards.domain,
                [
                    name
                    for (domain, _), levels in plan.sparse(study).items()
                    if domain == wildcards.domain
                    for name in levels
                ],
            ),
        )(wildcards, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("sparse_data"),
    message:
        "Drawing skill against the data trained on, {wildcards.domain}"
    shell:
        DRAW


rule skill_distance:
    input:
        skill_csv=rules.summarise.output.skill,
        domain_path=rules.domain.output.domain,
        split_csvs=lambda wildcards: [
            f"{RESULTS}/splits/{wildcards.domain}/{experiment}.csv"
            for experiment in plan.ungauged(study)[wildcards.domain]
        ],
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
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS,
            split_csvs={Path(path).stem: path for path in input.split_csvs},
            models=plan.shared_models(study, wildcards.domain, plan.ungauged(study)[wildcards.domain]),
        )(wildcards, input),
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
