"""Figures: tables in, PNG and PDF out; one rule a kind of figure.

Reads domains, tables, simulations, parameters and training logs; writes results/<study>/figures.
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
            labels=LABELS, shown=[(domain, experiment, drawn(domain, experiment)) for domain, experiment in MAIN]
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
            labels=LABELS, models=drawn(wildcards.domain, wildcards.experiment)
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
        simulations=lambda wildcards: [
            f"{RESULTS}/simulations/{wildcards.domain}/{wildcards.experiment}/{model}.nc"
            for model in drawn(wildcards.domain, wildcards.experiment)
        ],
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
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS, simulations={Path(path).stem: path for path in input.simulations}
        )(wildcards, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("hydrographs"),
    message:
        "Drawing hydrographs, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule parameter_map:
    input:
        domain_path=rules.domain.output.domain,
        parameters_path=f"{RESULTS}/parameters/{{domain}}/{{experiment}}/{{model}}.nc",
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
        arguments=lambda wildcards, input: draw_arguments(
            names=[
                name
                for name in MAPPED[study.models[wildcards.model].process]
                if name not in study.models[wildcards.model].dynamic
            ]
        )({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("parameter_map"),
    message:
        "Drawing the learned parameters of {wildcards.model}, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule river_map:
    input:
        domain_path=rules.domain.output.domain,
        parameters_path=f"{RESULTS}/parameters/{{domain}}/{{experiment}}/{{model}}.nc",
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
            labels=LABELS, models=compared_with_river(wildcards.domain, wildcards.experiment)
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
        simulations=lambda wildcards: [
            f"{RESULTS}/simulations/{wildcards.domain}/{wildcards.experiment}/{model}.nc"
            for model in compared_with_river(wildcards.domain, wildcards.experiment)
        ],
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
        arguments=lambda wildcards, input: draw_arguments(
            labels=LABELS, simulations={Path(path).stem: path for path in input.simulations}
        )(wildcards, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("nested_hydrographs"),
    message:
        "Drawing a flood at nested gauges, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule learning_curves:
    input:
        training_csvs=[
            f"{RESULTS}/models/{domain}/{experiment}/{model}.csv"
            for domain, experiment, model in RUNS
            if study.models[model].kind in TRAINED
        ],
    output:
        **figure_outputs("learning_curves", "learning_curves", figure="learning curves", domain="all", subject="loss"),
    log:
        f"{RESULTS}/logs/figures/learning_curves.log",
    resources:
        **LIGHT,
    params:
        name="learning_curves",
        arguments=draw_arguments(labels=LABELS, unit=LOSS_UNIT),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("learning_curves"),
    message:
        "Drawing learning curves"
    shell:
        DRAW


rule rain_grid:
    input:
        domain_path=rules.regrid.output.domain,
        dataset_folder=rules.regrid.input.dataset,
    output:
        **figure_outputs(
            "rain_grid/{basin}", "rain_grid", figure="rain grid to catchment", domain="cevennes", subject="{basin}"
        ),
    log:
        f"{RESULTS}/logs/figures/rain_grid/{{basin}}.log",
    resources:
        **LIGHT,
    params:
        name="rain_grid",
        arguments=draw_arguments(),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("rain_grid"),
    message:
        "Drawing the rain grid and the catchments' rain, {wildcards.basin}"
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
        *["learning_curves" for _ in RUNS[:1]],
        *[f"rain_grid/{basin}" for basin in ("cance", "lez") if study.domains.cevennes],
        *[f"skill_cdf/{metric}" for metric in ("NSE", "KGE") if RUNS],
        *[f"skill_map/{domain}/{experiment}" for domain, experiment in MAIN],
        *[f"hydrographs/{domain}/{experiment}" for domain, experiment in MAIN],
        *[
            f"{name}/{domain}/{experiment}"
            for name in ("skill_area", "nested_hydrographs")
            for domain, experiment in RIVERS
        ],
        *[
            f"river_map/{domain}/{experiment}/{model}"
            for domain, experiment in RIVERS
            for model in routed_models(domain, experiment)
        ],
        *[
            f"parameters/{domain}/{experiment}/{model}"
            for domain, experiment, model in RUNS
            if experiment == "temporal"
            and getattr(study.models[model], "routing", None) == "unit_hydrograph"
            and study.models[model].network == "attributes"
            and study.models[model].process in MAPPED
        ],
    )
]
