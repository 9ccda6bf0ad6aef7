"""Models: splits, training, simulation.

Reads results/<study>/domains/<domain>.nc; writes splits, models (weights and logs) and simulations, with parameters and internal
fluxes of processes. Checkpoints are outside the declared outputs, so that a killed job resumes. The models of an
experiment are trained in one job, or in one job each (training_jobs), and simulated in one job.
"""

TRAINING = {"gpu": GPU, "mem": lambda wildcards, attempt: f"{4 * attempt}GB", "runtime": "4h"}


rule split:
    input:
        domain=rules.domain.output.domain,
    output:
        splits=report(
            f"{RESULTS}/splits/{{domain}}/{{experiment}}.csv",
            category="Data",
            caption=CAPTION,
            labels={"table": "split {experiment}", "domain": "{domain}"},
        ),
    log:
        f"{RESULTS}/logs/split/{{domain}}/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split/{{domain}}/{{experiment}}.tsv"
    priority: FIRST
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: as_json(plan.split_settings(study, wildcards.domain, wildcards.experiment)),
        code=lambda wildcards: code_of(
            "thalweg.cli.steps.split", {"split": study.experiments[wildcards.domain][wildcards.experiment].kind}
        ),
    message:
        "Splitting {wildcards.domain} for {wildcards.experiment}"
    shell:
        "thalweg step split --domain {input.domain} --settings {params.settings:q} --output {output.splits} > {log} 2>&1"


TRAIN = (
    "thalweg step train --domain {input.domain} --splits {input.splits} --settings {params.settings:q}"
    " --checkpoints {params.checkpoints} --threads {threads} --names {params.names} --output {params.folder} 2> {log}"
)


if study.training_jobs == "model":

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
            **TRAINING,
        params:
            settings=run_settings,
            names=["{domain}", "{experiment}"],
            folder=subpath(output[0], parent=True),
            checkpoints=f"{RESULTS}/checkpoints/{{domain}}/{{experiment}}",
            code=lambda wildcards: code_of("thalweg.cli.steps.train", run_settings(wildcards)),
        message:
            "Training {wildcards.model} on {wildcards.domain}, {wildcards.experiment}: every fold and seed"
        shell:
            TRAIN

else:
    for (domain, experiment), seconds in training_seconds(study, BASE / "docs/results").items():
        run, models = f"{domain}/{experiment}", plan.trained_models(study, domain, experiment)
        settings = as_json({model: plan.job(study, domain, experiment, model) for model in models})

        rule:
            name:
                f"train_{domain}_{experiment}".replace("-", "_")
            input:
                domain=f"{RESULTS}/domains/{domain}.nc",
                splits=f"{RESULTS}/splits/{run}.csv",
            output:
                [f"{RESULTS}/models/{run}/{model}.{end}" for model in models for end in ("safetensors", "csv")],
            log:
                f"{RESULTS}/logs/train/{run}.log",
            benchmark:
                f"{RESULTS}/benchmarks/train/{run}.tsv"
            priority: seconds
            threads: study.threads
            resources:
                **TRAINING,
            params:
                settings=settings,
                names=[domain, experiment],
                folder=subpath(output[0], parent=True),
                checkpoints=f"{RESULTS}/checkpoints/{run}",
                code=code_of("thalweg.cli.steps.train", settings),
            message:
                f"Training {', '.join(models)} on {domain}, {experiment}: every fold and seed"
            shell:
                TRAIN


for domain, experiment in EXPERIMENTS:
    run, settings = f"{domain}/{experiment}", as_json(jobs_of(domain, experiment))

    rule:
        name:
            f"simulate_{domain}_{experiment}".replace("-", "_")
        input:
            domain=f"{RESULTS}/domains/{domain}.nc",
            splits=f"{RESULTS}/splits/{run}.csv",
            weights=[
                f"{RESULTS}/models/{'/'.join(one)}.safetensors"
                for one in plan.trainings(study)
                if one[:2] == (domain, experiment)
            ],
        output:
            [f"{RESULTS}/simulations/{run}/{model}.nc" for model in plan.models_of(study, domain, experiment)],
        log:
            f"{RESULTS}/logs/simulate/{run}.log",
        benchmark:
            f"{RESULTS}/benchmarks/simulate/{run}.tsv"
        threads: study.threads
        resources:
            mem="4GB",
            runtime="2h",
        params:
            settings=settings,
            names=[domain, experiment],
            folder=subpath(output[0], parent=True),
            code=code_of("thalweg.cli.steps.simulate", settings),
        message:
            f"Simulating {experiment} of {domain} by every model"
        shell:
            "thalweg step simulate --domain {input.domain} --splits {input.splits} --weights {input.weights} --threads {threads}"
            " --settings {params.settings:q} --names {params.names} --output {params.folder} > {log} 2>&1"
