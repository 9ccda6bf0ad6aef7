"""Models: splits, training, simulation.

Reads results/<study>/domains/<domain>.nc; writes splits, models (weights and logs) and simulations, with parameters and internal
fluxes of processes. Checkpoints stand outside the declared outputs, so that a job that was killed resumes.
"""


rule split:
    input:
        domain=rules.domain.output.domain,
    output:
        splits=report(
            f"{RESULTS}/splits/{{domain}}/{{experiment}}.csv",
            category="Data",
            caption="../report/splits.rst",
            labels={"domain": "{domain}", "table": "split {experiment}"},
        ),
    log:
        f"{RESULTS}/logs/split/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: as_json(plan.split_settings(study, wildcards.domain, wildcards.experiment)),
        code=lambda wildcards: code_of("thalweg.cli.steps.split", {"split": experiment_of(wildcards).kind}),
    message:
        "Splitting {wildcards.domain} for {wildcards.experiment}"
    shell:
        "thalweg step split --domain {input.domain} --settings {params.settings:q} --output {output.splits} > {log} 2>&1"


rule train:
    input:
        domain=rules.domain.output.domain,
        splits=rules.split.output.splits,
    output:
        weights=f"{RESULTS}/models/{{domain}}/{{experiment}}/{{model}}.safetensors",
        log=f"{RESULTS}/models/{{domain}}/{{experiment}}/{{model}}.csv",
    log:
        f"{RESULTS}/logs/train/{{domain}}/{{experiment}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{domain}}/{{experiment}}/{{model}}.tsv"
    threads: study.threads
    resources:
        gpu=GPU,
        mem=lambda wildcards, attempt: f"{4 * attempt}GB",
        runtime="4h",
    params:
        settings=run_settings,
        checkpoints=f"{RESULTS}/checkpoints/{{domain}}/{{experiment}}/{{model}}",
        code=run_code("train"),
    message:
        "Training {wildcards.model} on {wildcards.domain}, {wildcards.experiment}: every fold and seed"
    shell:
        "thalweg step train --domain {input.domain} --splits {input.splits} --settings {params.settings:q}"
        " --checkpoints {params.checkpoints} --threads {threads}"
        " --names {wildcards.domain} {wildcards.experiment} {wildcards.model}"
        " --weights {output.weights} --log {output.log} 2> {log}"


rule simulate:
    input:
        unpack(simulated_from),
    output:
        simulation=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    log:
        f"{RESULTS}/logs/simulate/{{domain}}/{{experiment}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{domain}}/{{experiment}}/{{model}}.tsv"
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=run_settings,
        inputs=lambda wildcards, input: [word for name in input.keys() for word in (f"--{name}", input[name])],
        code=run_code("simulate"),
    message:
        "Simulating {wildcards.model} on {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step simulate {params.inputs} --settings {params.settings:q} --threads {threads}"
        " --names {wildcards.domain} {wildcards.experiment} {wildcards.model} --output {output.simulation} > {log} 2>&1"
