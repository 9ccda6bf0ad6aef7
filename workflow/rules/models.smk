"""Models: splits, training, simulation.

Reads results/<study>/domains/<domain>.nc; writes splits, models (weights and logs), simulations and learned parameters.
Checkpoints stand outside the declared outputs, so that a job that was killed resumes.
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
        settings=lambda wildcards: study.experiments[wildcards.domain][wildcards.experiment].model_dump_json(
            exclude={"models", "training", "seeds"}
        ),
        code=fingerprint("thalweg.cli.steps.split"),
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
        domain=rules.domain.output.domain,
        splits=rules.split.output.splits,
        weights=rules.train.output.weights,
    output:
        discharge=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
        parameters=f"{RESULTS}/parameters/{{domain}}/{{experiment}}/{{model}}.nc",
    log:
        f"{RESULTS}/logs/simulate/{{domain}}/{{experiment}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{domain}}/{{experiment}}/{{model}}.tsv"
    wildcard_constraints:
        model=of_kind("process"),
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=run_settings,
        learned=lambda wildcards, input, output: f"--weights {input.weights} --parameters {output.parameters}",
        code=run_code("simulate"),
    message:
        "Simulating {wildcards.model} on {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step simulate --domain {input.domain} --splits {input.splits} --settings {params.settings:q} --threads {threads}"
        " --names {wildcards.domain} {wildcards.experiment} {wildcards.model} --output {output.discharge} {params.learned}"
        " > {log} 2>&1"


use rule simulate as simulate_sequence with:
    output:
        discharge=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    wildcard_constraints:
        model=of_kind("sequence"),
    params:
        settings=run_settings,
        learned=lambda wildcards, input: f"--weights {input.weights}",
        code=run_code("simulate"),


use rule simulate_sequence as simulate_climatology with:
    input:
        domain=rules.domain.output.domain,
        splits=rules.split.output.splits,
    wildcard_constraints:
        model=of_kind("climatology"),
    params:
        settings=run_settings,
        learned="",
        code=run_code("simulate"),


rule ensemble:
    input:
        members=lambda wildcards: [
            f"{RESULTS}/simulations/{wildcards.domain}/{wildcards.experiment}/{member}.nc"
            for member in study.models[wildcards.model].members
        ],
    output:
        discharge=f"{RESULTS}/simulations/{{domain}}/{{experiment}}/{{model}}.nc",
    log:
        f"{RESULTS}/logs/ensemble/{{domain}}/{{experiment}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{domain}}/{{experiment}}/{{model}}.tsv"
    wildcard_constraints:
        model=of_kind("ensemble"),
    resources:
        **LIGHT,
    params:
        code=fingerprint("thalweg.cli.steps.ensemble"),
    message:
        "Taking the mean of the members of {wildcards.model} on {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step ensemble --members {input.members}"
        " --names {wildcards.domain} {wildcards.experiment} {wildcards.model} --output {output.discharge} > {log} 2>&1"
