"""A canopy learned from a flux tower: latent heat and daytime exchange of CO2, measured rows only, beside baselines.

Reads data/davos; writes simulations/davos.nc, results/<study>/tables/canopy and a figure of it.
"""

CANOPY_TABLES = f"{RESULTS}/tables/canopy"


rule canopy:
    input:
        dataset=f"{DATA}/davos/dataset.json",
    output:
        simulations=f"{RESULTS}/simulations/davos.nc",
        evidence=f"{CANOPY_TABLES}/evidence.csv",
        parameters=report(
            f"{CANOPY_TABLES}/parameters.csv",
            category="Canopy",
            caption="../report/canopy_parameters.rst",
            labels={"domain": "davos", "table": "parameters of the canopy"},
        ),
        daily=f"{CANOPY_TABLES}/daily.csv",
        cycle=f"{CANOPY_TABLES}/cycle.csv",
    log:
        f"{RESULTS}/logs/canopy.log",
    benchmark:
        f"{RESULTS}/benchmarks/canopy/davos.tsv"
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=as_json(study.canopy) if study.canopy else "",
        folder=subpath(input.dataset, parent=True),
        samples=study.evaluation.bootstrap_samples,
        code=fingerprint("thalweg.cli.steps.canopy"),
    message:
        "Learning a canopy from the Davos flux tower"
    shell:
        "thalweg step canopy --dataset {params.folder} --settings {params.settings:q} --threads {threads}"
        " --bootstrap-samples {params.samples} --simulations {output.simulations} --parameters {output.parameters}"
        " --daily {output.daily} --cycle {output.cycle} --evidence {output.evidence} > {log} 2>&1"


rule canopy_figure:
    input:
        daily_csv=rules.canopy.output.daily,
        cycle_csv=rules.canopy.output.cycle,
        skill_csv=rules.summarise.output.skill,
    output:
        **figure_outputs("canopy", "canopy", figure="canopy", domain="davos", subject="latent heat, exchange of CO2"),
    log:
        f"{RESULTS}/logs/figures/canopy.log",
    resources:
        **LIGHT,
    params:
        name="canopy",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("canopy"),
    message:
        "Drawing the canopy beside the Davos flux tower"
    shell:
        DRAW


if study.canopy:
    FIGURES += [f"{RESULTS}/figures/canopy.png"]
    TABLES += [rules.canopy.output.parameters, rules.canopy.output.evidence]
