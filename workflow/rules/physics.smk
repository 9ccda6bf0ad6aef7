"""What trained models answer and what their parameters mean.

Reads results/<study>/domains, splits, weights and simulations of discharge in later periods; writes the tables
physics/<domain>/<experiment>/{elasticity,untrained,attribution}.csv with their evidence, and a figure of each. Parameters are
also held against attributes, and against each other, in the folds of experiments at ungauged basins.
"""


rule response:
    input:
        domain=rules.domain.output.domain,
        splits=rules.split.output.splits,
        weights=weights(plan.drawn_trained),
    output:
        table=physics_table("elasticity", "elasticities"),
        evidence=f"{RESULTS}/tables/physics/{{domain}}/{{experiment}}/elasticity_evidence.csv",
    log:
        f"{RESULTS}/logs/physics/{{domain}}/{{experiment}}/elasticity.log",
    benchmark:
        f"{RESULTS}/benchmarks/response/{{domain}}/{{experiment}}.tsv"
    threads: study.threads
    resources:
        mem="4GB",
        runtime="2h",
    params:
        settings=lambda wildcards: physics_settings(wildcards, plan.drawn_trained),
        code=physics_code("response", plan.drawn_trained),
    message:
        "Asking every model how runoff answers to precipitation, evaporation and warmth, {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step response --domain {input.domain} --splits {input.splits} --weights {input.weights}"
        " --settings {params.settings:q} --threads {threads} --names {wildcards.domain} {wildcards.experiment}"
        " --table {output.table} --evidence {output.evidence} > {log} 2>&1"


rule untrained:
    input:
        domain=rules.domain.output.domain,
        splits=rules.split.output.splits,
        weights=weights(plan.processes_of),
    output:
        table=physics_table("untrained", "untrained fluxes"),
        evidence=f"{RESULTS}/tables/physics/{{domain}}/{{experiment}}/untrained_evidence.csv",
    log:
        f"{RESULTS}/logs/physics/{{domain}}/{{experiment}}/untrained.log",
    benchmark:
        f"{RESULTS}/benchmarks/untrained/{{domain}}/{{experiment}}.tsv"
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=lambda wildcards: physics_settings(wildcards, plan.processes_of),
        code=physics_code("untrained", plan.processes_of),
    message:
        "Holding inner fluxes against observations, {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step untrained --domain {input.domain} --splits {input.splits} --weights {input.weights}"
        " --settings {params.settings:q} --threads {threads} --names {wildcards.domain} {wildcards.experiment}"
        " --table {output.table} --evidence {output.evidence} > {log} 2>&1"


rule attribution:
    input:
        domain=rules.domain.output.domain,
        splits=rules.split.output.splits,
        simulations=simulations(plan.with_attributes),
    output:
        table=physics_table("attribution", "parameters and attributes"),
        evidence=f"{RESULTS}/tables/physics/{{domain}}/{{experiment}}/attribution_evidence.csv",
    log:
        f"{RESULTS}/logs/physics/{{domain}}/{{experiment}}/attribution.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: physics_settings(wildcards, plan.with_attributes),
        code=physics_code("attribution", plan.with_attributes),
    message:
        "Holding learned parameters against attributes, {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step attribution --domain {input.domain} --splits {input.splits} --simulations {input.simulations}"
        " --settings {params.settings:q} --names {wildcards.domain} {wildcards.experiment}"
        " --table {output.table} --evidence {output.evidence} > {log} 2>&1"


rule elasticity_figure:
    input:
        elasticity_csv=rules.response.output.table,
    output:
        **figure_outputs(
            "elasticity/{domain}/{experiment}",
            "elasticity",
            figure="elasticities",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/elasticity/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="elasticity",
        arguments=lambda wildcards, input: as_json(dict(input.items()) | physics_look(wildcards)),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("elasticity"),
    message:
        "Drawing elasticities, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule untrained_figure:
    input:
        untrained_csv=rules.untrained.output.table,
    output:
        **figure_outputs(
            "untrained/{domain}/{experiment}",
            "untrained",
            figure="untrained fluxes",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/untrained/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="untrained",
        arguments=lambda wildcards, input: as_json(dict(input.items()) | physics_look(wildcards)),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("untrained"),
    message:
        "Drawing untrained fluxes, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule attribution_figure:
    input:
        attribution_csv=rules.attribution.output.table,
    output:
        **figure_outputs(
            "attribution/{domain}/{experiment}",
            "attribution",
            figure="parameters and attributes",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/attribution/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="attribution",
        arguments=lambda wildcards, input: as_json(dict(input.items()) | physics_look(wildcards)),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("attribution"),
    message:
        "Drawing learned parameters and attributes, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


PHYSICS_PAIRS = [
    (*run, name)
    for run in plan.later_periods(study)
    for name, models in (
        ("elasticity", plan.drawn_trained),
        ("untrained", plan.processes_of),
        ("attribution", plan.with_attributes),
    )
    if models(study, *run)
] + [(*run, "attribution") for run in plan.repeated_in_folds(study) if plan.with_attributes(study, *run)]
PHYSICS_EVIDENCE = [
    f"{RESULTS}/tables/physics/{domain}/{experiment}/{name}_evidence.csv"
    for domain, experiment, name in [
        *PHYSICS_PAIRS,
        *[(domain, experiment, "attribution") for domain, experiment, _ in plan.described_by_attributes(study)],
    ]
]
PHYSICS_TABLES = [path.replace("_evidence.csv", ".csv") for path in PHYSICS_EVIDENCE] + PHYSICS_EVIDENCE
PHYSICS_FIGURES = [f"{RESULTS}/figures/{name}/{domain}/{experiment}.png" for domain, experiment, name in PHYSICS_PAIRS]
