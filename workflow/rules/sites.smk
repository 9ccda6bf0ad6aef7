"""Sites: water temperature and quality, learned where something is sampled.

Reads data/<dataset> or a folder of tables of one's own; writes results/<study>/sites, the tables sites/*.csv and figures of them.
"""


rule sites:
    input:
        files=site_files,
    output:
        sites=f"{SITES}/domains/{{domain}}.nc",
        table=report(
            f"{SITE_TABLES}/{{domain}}_sites.csv",
            category="Data",
            caption="../report/sites.rst",
            labels={"domain": "{domain}", "table": "sites"},
        ),
    log:
        f"{RESULTS}/logs/sites/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: as_json(SITE_STUDY.domains[wildcards.domain]),
        folder=lambda wildcards: site_folder(wildcards.domain),
        code=fingerprint("thalweg.cli.steps.sites"),
    message:
        "Bringing the sites of {wildcards.domain} into one form"
    shell:
        "thalweg step sites --dataset {params.folder:q} --settings {params.settings:q}"
        " --output {output.sites} --table {output.table} > {log} 2>&1"


rule site_split:
    input:
        sites=rules.sites.output.sites,
    output:
        splits=report(
            f"{SITE_TABLES}/splits/{{domain}}/{{experiment}}.csv",
            category="Data",
            caption="../report/splits.rst",
            labels={"domain": "{domain}", "table": "split {experiment}"},
        ),
    log:
        f"{RESULTS}/logs/site_split/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: site_experiment(wildcards).model_dump_json(exclude={"models", "training", "label"}),
        code=fingerprint("thalweg.cli.steps.site_split"),
    message:
        "Splitting the sites of {wildcards.domain} for {wildcards.experiment}"
    shell:
        "thalweg step site_split --sites {input.sites} --settings {params.settings:q} --output {output.splits} > {log} 2>&1"


rule site_train:
    input:
        sites=rules.sites.output.sites,
        splits=rules.site_split.output.splits,
    output:
        weights=f"{SITES}/models/{{domain}}/{{experiment}}/{{model}}.safetensors",
        log=f"{SITES}/models/{{domain}}/{{experiment}}/{{model}}.csv",
    log:
        f"{RESULTS}/logs/site_train/{{domain}}/{{experiment}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/site_train/{{domain}}/{{experiment}}/{{model}}.tsv"
    threads: study.threads
    resources:
        gpu=GPU,
        mem=lambda wildcards, attempt: f"{4 * attempt}GB",
        runtime="4h",
    params:
        settings=site_job,
        checkpoints=f"{SITES}/checkpoints/{{domain}}/{{experiment}}/{{model}}",
        code=site_code("site_train"),
    message:
        "Training {wildcards.model} on the sites of {wildcards.domain}, {wildcards.experiment}: every fold and seed"
    shell:
        "thalweg step site_train --sites {input.sites} --splits {input.splits} --settings {params.settings:q}"
        " --checkpoints {params.checkpoints} --threads {threads}"
        " --names {wildcards.domain} {wildcards.experiment} {wildcards.model}"
        " --weights {output.weights} --log {output.log} 2> {log}"


rule site_simulate:
    input:
        sites=rules.sites.output.sites,
        splits=rules.site_split.output.splits,
        weights=rules.site_train.output.weights,
    output:
        simulation=f"{SITES}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
        parameters=f"{SITES}/parameters/{{domain}}/{{experiment}}/{{model}}.nc",
        internals=f"{SITES}/internals/{{domain}}/{{experiment}}/{{model}}.nc",
    log:
        f"{RESULTS}/logs/site_simulate/{{domain}}/{{experiment}}/{{model}}.log",
    wildcard_constraints:
        model=sites_of_kind("process"),
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=site_job,
        learned=lambda wildcards, input, output: (
            f"--weights {input.weights} --parameters {output.parameters} --internals {output.internals}"
        ),
        code=site_code("site_simulate"),
    message:
        "Simulating {wildcards.model} at the sites of {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step site_simulate --sites {input.sites} --splits {input.splits} --settings {params.settings:q}"
        " --threads {threads} --names {wildcards.domain} {wildcards.experiment} {wildcards.model}"
        " --output {output.simulation} {params.learned} > {log} 2>&1"


use rule site_simulate as site_simulate_sequence with:
    output:
        simulation=f"{SITES}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    wildcard_constraints:
        model=sites_of_kind("sequence"),
    params:
        settings=site_job,
        learned=lambda wildcards, input: f"--weights {input.weights}",
        code=site_code("site_simulate"),


use rule site_simulate_sequence as site_simulate_climatology with:
    input:
        sites=rules.sites.output.sites,
        splits=rules.site_split.output.splits,
    wildcard_constraints:
        model=sites_of_kind("climatology"),
    params:
        settings=site_job,
        learned="",
        code=site_code("site_simulate"),


rule site_score:
    input:
        simulation=f"{SITES}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    output:
        scores=f"{SITES}/scores/{{domain}}/{{experiment}}/{{model}}.csv",
    log:
        f"{RESULTS}/logs/site_score/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: as_json(SITE_STUDY.evaluation),
        study=study.study,
        code=fingerprint("thalweg.cli.steps.site_score"),
    message:
        "Scoring {wildcards.model} at the sites of {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step site_score --simulation {input.simulation} --study {params.study} --settings {params.settings:q}"
        " --output {output.scores} > {log} 2>&1"


use rule summarise as site_summarise with:
    input:
        scores=[f"{SITES}/scores/{domain}/{experiment}/{model}.csv" for domain, experiment, model in SITE_RUNS],
    output:
        skill=f"{SITE_TABLES}/skill.csv",
        summary=report(
            f"{SITE_TABLES}/summary.csv",
            category="Skill",
            caption="../report/site_summary.rst",
            labels={"domain": "sites", "table": "summary"},
        ),
        comparison=report(
            f"{SITE_TABLES}/comparison.csv",
            category="Skill",
            caption="../report/comparison.rst",
            labels={"domain": "sites", "table": "paired tests"},
        ),
    log:
        f"{RESULTS}/logs/site_summarise.log",
    params:
        domains="",
        settings=as_json(
            {
                "bootstrap_samples": study.evaluation.bootstrap_samples,
                "compared": ["RMSE", "NSE"],
            }
        ),
        code=fingerprint("thalweg.cli.steps.summarise"),
    message:
        "Summarising scores at sites"


rule site_series:
    input:
        sites_path=rules.sites.output.sites,
        skill_csv=rules.site_summarise.output.skill,
        simulations=lambda wildcards: [
            f"{SITES}/simulations/{wildcards.domain}/{wildcards.experiment}/{model}.nc"
            for model in site_experiment(wildcards).models
        ],
    output:
        **figure_outputs(
            "sites/series/{domain}/{experiment}",
            "site_series",
            figure="samples and simulations",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/site_series/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="site_series",
        arguments=lambda wildcards, input: draw_arguments(
            labels=SITE_LABELS, simulations={Path(path).stem: path for path in input.simulations}
        )({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("site_series"),
    message:
        "Drawing samples and simulations, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


rule site_skill:
    input:
        skill_csv=rules.site_summarise.output.skill,
    output:
        **figure_outputs(
            "sites/skill/{domain}/{variable}",
            "site_skill",
            figure="skill at sites",
            domain="{domain}",
            subject="{variable}",
        ),
    log:
        f"{RESULTS}/logs/figures/site_skill/{{domain}}/{{variable}}.log",
    wildcard_constraints:
        variable="[a-z0-9_]+",
    resources:
        **LIGHT,
    params:
        name="site_skill",
        arguments=lambda wildcards, input: draw_arguments(
            labels=SITE_LABELS,
            baselines=site_baselines(
                wildcards.domain,
                [
                    name
                    for name, settings in SITE_STUDY.experiments[wildcards.domain].items()
                    if settings.variable == wildcards.variable
                ],
            ),
            domain=wildcards.domain,
            experiments={
                name: {"label": settings.label}
                for name, settings in SITE_STUDY.experiments[wildcards.domain].items()
                if settings.variable == wildcards.variable
            },
        )({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("site_skill"),
    message:
        "Drawing skill at the sites of {wildcards.domain}, {wildcards.variable}"
    shell:
        DRAW


rule parameter_attribute:
    input:
        sites_path=rules.sites.output.sites,
        parameters_path=f"{SITES}/parameters/{{domain}}/{{experiment}}/{{model}}.nc",
    output:
        **figure_outputs(
            "sites/parameters/{domain}/{experiment}/{model}",
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
        internals_path=f"{SITES}/internals/{{domain}}/{{experiment}}/{{model}}.nc",
        sites_path=rules.sites.output.sites,
        skill_csv=rules.site_summarise.output.skill,
    output:
        **figure_outputs(
            "sites/heat_budget/{domain}/{experiment}/{model}",
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


rule site_network:
    input:
        sites_path=rules.sites.output.sites,
        skill_csv=rules.site_summarise.output.skill,
        map_folder=MAP,
    output:
        **figure_outputs(
            "sites/network/{domain}/{experiment}",
            "site_network",
            figure="network of sites",
            domain="{domain}",
            subject="{experiment}",
        ),
    log:
        f"{RESULTS}/logs/figures/site_network/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        name="site_network",
        arguments=lambda wildcards, input: draw_arguments(
            model=site_experiment(wildcards).models[0],
            experiment=wildcards.experiment,
        )({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("site_network"),
    message:
        "Drawing the network of sites, {wildcards.domain}, {wildcards.experiment}"
    shell:
        DRAW


use rule learning_curves as site_learning_curves with:
    input:
        training_csvs=[
            f"{SITES}/models/{domain}/{experiment}/{model}.csv"
            for domain, experiment, model in SITE_RUNS
            if SITE_STUDY.models[model].kind != "climatology"
        ],
    output:
        **figure_outputs(
            "sites/learning_curves", "learning_curves", figure="learning curves", domain="sites", subject="loss"
        ),
    log:
        f"{RESULTS}/logs/figures/site_learning_curves.log",
    params:
        name="learning_curves",
        arguments=draw_arguments(labels=SITE_LABELS, unit="dimensionless"),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("learning_curves"),
    message:
        "Drawing learning curves of the models of sites"


SITE_PROCESSES = [
    (domain, experiment, model)
    for domain, experiment, model in SITE_RUNS
    if SITE_STUDY.models[model].kind == "process" and SITE_STUDY.experiments[domain][experiment].kind == "temporal"
]
FIGURES += [
    f"{RESULTS}/figures/sites/{path}.png"
    for path in (
        *["learning_curves" for _ in SITE_RUNS[:1]],
        *dict.fromkeys(f"series/{domain}/{experiment}" for domain, experiment, _ in SITE_RUNS),
        *dict.fromkeys(
            f"skill/{domain}/{SITE_STUDY.experiments[domain][experiment].variable}"
            for domain, experiment, _ in SITE_RUNS
        ),
        *dict.fromkeys(f"network/{domain}/{experiment}" for domain, experiment, _ in SITE_RUNS if has_network(domain)),
        *[
            f"parameters/{domain}/{experiment}/{model}"
            for domain, experiment, model in SITE_PROCESSES
            if SITE_STUDY.models[model].network == "attributes"
            and model == SITE_STUDY.experiments[domain][experiment].models[0]
        ],
        *[
            f"heat_budget/{domain}/{experiment}/{model}"
            for domain, experiment, model in SITE_PROCESSES
            if SITE_STUDY.models[model].process == "stream_temperature"
        ],
    )
]
SITE_LOADS = [
    (domain, experiment, model)
    for domain, experiment, model in SITE_PROCESSES
    if has_network(domain)
    and SITE_STUDY.models[model].process == "nitrogen"
    and SITE_STUDY.experiments[domain][experiment].variable == "nitrate"
]


rule site_loads:
    input:
        sites=rules.sites.output.sites,
        simulation=f"{SITES}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
        parameters=f"{SITES}/parameters/{{domain}}/{{experiment}}/{{model}}.nc",
    output:
        loads=report(
            f"{SITE_TABLES}/loads/{{domain}}/{{experiment}}/{{model}}.csv",
            category="Sites",
            caption="../report/site_loads.rst",
            labels={"domain": "{domain}", "table": "loads of {experiment}, {model}"},
        ),
    log:
        f"{RESULTS}/logs/site_loads/{{domain}}/{{experiment}}/{{model}}.log",
    resources:
        **LIGHT,
    params:
        code=fingerprint("thalweg.cli.steps.site_loads"),
    message:
        "Balancing loads down the network of {wildcards.domain}, {wildcards.experiment}, {wildcards.model}"
    shell:
        "thalweg step site_loads --sites {input.sites} --simulation {input.simulation} --parameters {input.parameters}"
        " --output {output.loads} > {log} 2>&1"


TABLES += [f"{SITE_TABLES}/loads/{domain}/{experiment}/{model}.csv" for domain, experiment, model in SITE_LOADS]
if SITE_RUNS:
    TABLES += rules.site_summarise.output
