"""Figures: tables in, PNG and PDF out; one rule a kind of figure.

Reads domains, tables, simulations and training logs; writes results/<study>/figures.
"""

DRAW = "thalweg step figure {params.name} --arguments {params.arguments:q} --output {params.output} > {log} 2>&1"


rule skill_cdf:
    input:
        skill_csv=rules.summarise.output.skill,
    output:
        **figure_outputs(
            "skill_cdf/{metric}", "skill_cdf", figure="skill, distribution", domain="all", subject="{metric}"
        ),
    log:
        f"{RESULTS}/logs/figures/skill_cdf/{{metric}}.log",
    resources:
        **LIGHT,
    params:
        name="skill_cdf",
        arguments=draw_arguments(
            labels=LABELS, shown=[(*run, plan.drawn(study, *run)) for run in plan.main_experiments(study)]
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("skill_cdf"),
    message:
        "Drawing the distribution of {wildcards.metric} over gauges"
    shell:
        DRAW


rule skill_map:
    input:
        domain_path=rules.domain.output.domain,
        skill_csv=rules.summarise.output.skill,
        map_folder=MAP,
    output:
        **figure_outputs(
            "skill_map/{domain}/{experiment}",
            "skill_map",
            figure="skill, map",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/skill_map/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="skill_map",
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS, models=plan.drawn(study, wildcards.domain, wildcards.experiment)
        )(wildcards, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("skill_map"),
    message:
        "Drawing the map of skill, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule hydrographs:
    input:
        domain_path=rules.domain.output.domain,
        skill_csv=rules.summarise.output.skill,
        simulations=simulations(plan.drawn),
    output:
        **figure_outputs(
            "hydrographs/{domain}/{experiment}",
            "hydrographs",
            figure="hydrographs",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/hydrographs/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="hydrographs",
        arguments=lambda wildcards, input: draw_arguments(labels=LABELS, simulations=by_name(input.simulations))(
            wildcards, input
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("hydrographs"),
    message:
        "Drawing hydrographs, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule parameter_map:
    input:
        domain_path=rules.domain.output.domain,
        simulation_path=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
        map_folder=MAP,
    output:
        **figure_outputs(
            "parameters/{domain}/{experiment}/{model}",
            "parameter_map",
            figure="learned parameters",
            domain="{domain}",
            subject="{experiment}, {model}",
        ),
    log:
        f"{RESULTS}/logs/figures/parameters/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        name="parameter_map",
        arguments=lambda wildcards, input: draw_arguments(names=plan.mapped_parameters(study, wildcards.model))(
            {}, input
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("parameter_map"),
    message:
        "Drawing the learned parameters of {wildcards.model}, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule river_map:
    input:
        domain_path=rules.domain.output.domain,
        simulation_path=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
        map_folder=MAP,
    output:
        **figure_outputs(
            "river_map/{domain}/{experiment}/{model}",
            "river_map",
            figure="learned roughness",
            domain="{domain}",
            subject="{experiment}, {model}",
        ),
    log:
        f"{RESULTS}/logs/figures/river_map/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        name="river_map",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("river_map"),
    message:
        "Drawing the learned roughness of {wildcards.model}, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule skill_area:
    input:
        domain_path=rules.domain.output.domain,
        skill_csv=rules.summarise.output.skill,
        by_area_csv=rules.river.output.skill,
    output:
        **figure_outputs(
            "skill_area/{domain}/{experiment}",
            "skill_area",
            figure="skill, drainage area",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/skill_area/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="skill_area",
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS, models=plan.compared_with_river(study, wildcards.domain, wildcards.experiment)
        )(wildcards, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("skill_area"),
    message:
        "Drawing skill against drainage area, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule nested_hydrographs:
    input:
        domain_path=rules.domain.output.domain,
        skill_csv=rules.summarise.output.skill,
        simulations=simulations(plan.compared_with_river),
    output:
        **figure_outputs(
            "nested_hydrographs/{domain}/{experiment}",
            "nested_hydrographs",
            figure="hydrographs, nested gauges",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/nested_hydrographs/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="nested_hydrographs",
        arguments=lambda wildcards, input: draw_arguments(labels=LABELS, simulations=by_name(input.simulations))(
            wildcards, input
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("nested_hydrographs"),
    message:
        "Drawing a flood at nested gauges, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule learning_curves:
    input:
        training_csvs=lambda wildcards: [
            f"{RESULTS}/models/{domain}/{experiment}/{model}.csv"
            for domain, experiment, model in plan.trainings(study)
            if domain == wildcards.domain
        ],
    output:
        **figure_outputs(
            "learning_curves/{domain}", "learning_curves", figure="learning curves", domain="{domain}", subject="loss"
        ),
    log:
        f"{RESULTS}/logs/figures/learning_curves/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        name="learning_curves",
        arguments=lambda wildcards, input: draw_arguments(labels=LABELS, unit=plan.loss_unit(study, wildcards.domain))(
            {}, input
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("learning_curves"),
    message:
        "Drawing learning curves, {wildcards.domain}"
    shell:
        DRAW


rule rain_grid:
    input:
        domain_path=rules.domain.output.domain,
        dataset_folder=lambda wildcards: plan.files(study, wildcards.domain),
    output:
        **figure_outputs(
            "rain_grid/{domain}", "rain_grid", figure="rain grid to catchment", domain="{domain}", subject="rain"
        ),
    log:
        f"{RESULTS}/logs/figures/rain_grid/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        name="rain_grid",
        arguments=lambda wildcards, input: draw_arguments(catchment=study.domains[wildcards.domain].catchment)(
            {}, input
        ),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("rain_grid"),
    message:
        "Drawing the rain grid and the sub-catchments' rain, {wildcards.domain}"
    shell:
        DRAW


rule rulegraph:
    output:
        graph=f"{RESULTS}/tables/rulegraph.dot",
    log:
        f"{RESULTS}/logs/rulegraph.log",
    resources:
        **LIGHT,
    params:
        snakefile=workflow.main_snakefile,
        study=study.study,
        rules=[rule.name for rule in workflow.rules],
    message:
        "Asking for the graph of rules"
    shell:
        "snakemake --snakefile {params.snakefile} --config study={params.study} --rulegraph dot --forceall --nolock"
        " > {output.graph} 2> {log}"


rule workflow_graph:
    input:
        rulegraph_path=rules.rulegraph.output.graph,
    output:
        **figure_outputs("workflow", "workflow_graph", figure="the workflow", domain="all", subject="rules"),
    log:
        f"{RESULTS}/logs/figures/workflow.log",
    resources:
        **LIGHT,
    params:
        name="workflow_graph",
        arguments=draw_arguments(),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("workflow_graph"),
    message:
        "Drawing the workflow"
    shell:
        DRAW


FIGURES = [
    f"{RESULTS}/figures/{path}.png"
    for path in (
        "workflow",
        *dict.fromkeys(f"learning_curves/{domain}" for domain, _, _ in plan.trainings(study)),
        *[f"rain_grid/{domain}" for domain in plan.gridded(study)],
        *[f"skill_cdf/{metric}" for metric in ("NSE", "KGE") if plan.main_experiments(study)],
        *[
            f"{name}/{domain}/{experiment}"
            for name in ("skill_map", "hydrographs")
            for domain, experiment in plan.main_experiments(study)
        ],
        *[
            f"{name}/{domain}/{experiment}"
            for name in ("skill_area", "nested_hydrographs")
            for domain, experiment in plan.rivers(study)
        ],
        *[
            f"river_map/{domain}/{experiment}/{model}"
            for domain, experiment in plan.rivers(study)
            for model in plan.routed_models(study, domain, experiment)
        ],
        *["parameters/" + "/".join(run) for run in plan.mapped(study)],
    )
]
