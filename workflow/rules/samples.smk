"""Sampled places: series, skill, parameters and the budgets behind water temperature and solutes.

Reads domains, simulations and the table skill.csv; writes the tables results/<study>/tables/loads/<domain>/<experiment>/<model>.csv
and figures.
"""


rule series:
    input:
        domain_path=rules.domain.output.domain,
        skill_csv=rules.summarise.output.skill,
        simulations=simulations(plan.models_of),
    output:
        **figure_outputs(
            "series/{domain}/{experiment}",
            "series",
            figure="samples and simulations",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/series/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="series",
        arguments=lambda wildcards, input: draw_arguments(labels=LABELS, simulations=by_name(input.simulations))(
            {}, input
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("series"),
    message:
        "Drawing samples and simulations, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule skill_places:
    input:
        skill_csv=rules.summarise.output.skill,
        summary_csv=rules.summarise.output.summary,
    output:
        **figure_outputs(
            "skill_places/{domain}/{variable}",
            "skill_places",
            figure="skill at sampled places",
            domain="{domain}",
            subject="{variable}",
        ),
    log:
        f"{RESULTS}/logs/figures/skill_places/{{domain}}/{{variable}}.log",
    wildcard_constraints:
        variable="[a-z0-9_]+",
    resources:
        **LIGHT,
    params:
        name="skill_places",
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS,
            domain=wildcards.domain,
            variable=wildcards.variable,
            experiments={
                name: {"label": settings.label or name}
                for name, settings in plan.about(study, wildcards.domain, wildcards.variable).items()
            },
            baselines=plan.baselines(study, wildcards.domain, plan.about(study, wildcards.domain, wildcards.variable)),
        )({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("skill_places"),
    message:
        "Drawing skill at the sampled places of {wildcards.domain}, {wildcards.variable}"
    shell:
        DRAW


rule parameter_attribute:
    input:
        attribution_csv=rules.attribution.output.table,
        domain_path=rules.domain.output.domain,
        simulation_path=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    output:
        **figure_outputs(
            "parameter_attribute/{domain}/{experiment}/{model}",
            "parameter_attribute",
            figure="parameters and attributes",
            domain="{domain}",
            subject="{experiment}, {model}",
        ),
    log:
        f"{RESULTS}/logs/figures/parameter_attribute/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        name="parameter_attribute",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("parameter_attribute"),
    message:
        "Drawing learned parameters against attributes, {wildcards.domain}, {wildcards.experiment}, {wildcards.model}"
    shell:
        DRAW


rule heat_budget:
    input:
        domain_path=rules.domain.output.domain,
        simulation_path=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
        skill_csv=rules.summarise.output.skill,
    output:
        **figure_outputs(
            "heat_budget/{domain}/{experiment}/{model}",
            "heat_budget",
            figure="heat budget",
            domain="{domain}",
            subject="{experiment}, {model}",
        ),
    log:
        f"{RESULTS}/logs/figures/heat_budget/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        name="heat_budget",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("heat_budget"),
    message:
        "Drawing the heat budget of {wildcards.model}, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule place_network:
    input:
        domain_path=rules.domain.output.domain,
        skill_csv=rules.summarise.output.skill,
        map_folder=MAP,
    output:
        **figure_outputs(
            "place_network/{domain}/{experiment}",
            "place_network",
            figure="network of places",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/place_network/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="place_network",
        arguments=lambda wildcards, input: draw_arguments(
            model=experiment_of(wildcards).models[0],
            experiment=wildcards.experiment,
            variable=experiment_of(wildcards).first,
        )({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("place_network"),
    message:
        "Drawing the network of sampled places, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule loads:
    input:
        domain=rules.domain.output.domain,
        simulation=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    output:
        loads=report(
            f"{RESULTS}/tables/loads/{{domain}}/{{experiment}}/{{model}}.csv",
            category="Questions",
            caption="../report/loads.rst",
            labels={"domain": "{domain}", "table": "loads of {experiment}, {model}"},
        ),
    log:
        f"{RESULTS}/logs/loads/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        code=fingerprint("thalweg.cli.steps.loads"),
    message:
        "Balancing loads down the network of {wildcards.domain}, {wildcards.experiment}, {wildcards.model}"
    shell:
        "thalweg step loads --domain {input.domain} --simulation {input.simulation} --output {output.loads} > {log} 2>&1"


FIGURES += [
    f"{RESULTS}/figures/{path}.png"
    for path in (
        *[f"series/{Path(*run)}" for run in plan.sampled(study)],
        *[f"skill_places/{Path(*pair)}" for pair in plan.sampled_variables(study)],
        *[f"place_network/{Path(*run)}" for run in plan.on_networks(study)],
        *[f"parameter_attribute/{Path(*run)}" for run in plan.described_by_attributes(study)],
        *[f"heat_budget/{Path(*run)}" for run in plan.heat_budgets(study)],
    )
]
TABLES += [f"{RESULTS}/tables/loads/{Path(*run)}.csv" for run in plan.load_balances(study)]
