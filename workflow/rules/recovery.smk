"""A river that is known, because it was made, learned again: which of its parameters discharge at gauges can tell.

Reads domains; writes results/<study>/tables/recovery and a figure of it.
"""

ROUTED = [model for model in study.models.values() if getattr(model, "routing", None) == "river"]
RECOVERED = sorted({domain for domain, _ in plan.rivers(study)})


rule recover:
    input:
        domain=rules.domain.output.domain,
    output:
        table=report(
            f"{RESULTS}/tables/recovery/{{domain}}.csv",
            category="River",
            caption="../report/recovery.rst",
            labels={"domain": "{domain}", "table": "recovery of a known river"},
        ),
        reaches=f"{RESULTS}/tables/recovery/{{domain}}_reaches.csv",
    log:
        f"{RESULTS}/logs/recover/{{domain}}.log",
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=lambda wildcards: as_json(
            {
                "period": study.domains[wildcards.domain].model_dump(mode="json")["period"],
                "seeds": study.seeds,
                "steps": min(study.training.steps, 100),
                "hidden": ROUTED[0].river_hidden,
                "river_step": ROUTED[0].river_step,
            }
        ),
        code=fingerprint("thalweg.cli.steps.recover"),
    message:
        "Learning a known river of {wildcards.domain} again"
    shell:
        "thalweg step recover --domain {input.domain} --settings {params.settings:q} --threads {threads}"
        " --table {output.table} --reaches {output.reaches} > {log} 2>&1"


rule recovery:
    input:
        table_csv=rules.recover.output.table,
        reaches_csv=rules.recover.output.reaches,
    output:
        **figure_outputs(
            "recovery/{domain}", "recovery", figure="a known river", domain="{domain}", subject="roughness, section"
        ),
    log:
        f"{RESULTS}/logs/figures/recovery/{{domain}}.log",
    resources:
        **LIGHT,
    params:
        name="recovery",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("recovery"),
    message:
        "Drawing what was learned of a known river of {wildcards.domain}"
    shell:
        DRAW


FIGURES += [f"{RESULTS}/figures/recovery/{domain}.png" for domain in RECOVERED]
