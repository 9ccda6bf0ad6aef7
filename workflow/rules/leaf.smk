"""Leaves: photosynthesis learned from gas exchange, and from leaves that are known, because they were made.

Reads data/{leaf,leaf-lce}; writes domains/<kind>.nc and simulations/<kind>.nc, the tables leaf/<kind> and figures of them.
"""

LEAF_DATASETS = {"leaf": "leaf", "leaf_stomata": "leaf", "leaf_lce": "leaf-lce"}
LEAF_ATTRIBUTES = {
    "leaf": ("mean_leaf_temperature", "leaf temperature [°C]", "curves"),
    "leaf_lce": ("growth_temperature", "growth temperature [°C]", "species"),
}
LEAF_CURVES = [kind for kind in LEAVES if kind in LEAF_ATTRIBUTES]
LEAF_PARAMETERS = [kind for kind in LEAF_CURVES if LEAF_ATTRIBUTES[kind][2] in study.leaf.held_out]


rule leaf:
    input:
        dataset=lambda wildcards: f"{DATA}/{LEAF_DATASETS[wildcards.kind]}/dataset.json",
    output:
        domain=f"{RESULTS}/domains/{{kind}}.nc",
        simulations=f"{RESULTS}/simulations/{{kind}}.nc",
        curves=leaf_table("{kind}", "curves", "curves kept and left out"),
        fits=leaf_table("{kind}", "fits", "parameters of each curve"),
        parameters=f"{RESULTS}/tables/leaf/{{kind}}/parameters.csv",
        parameter_skill=leaf_table("{kind}", "parameter_skill", "skill of predicted parameters"),
        points=f"{RESULTS}/tables/leaf/{{kind}}/points.csv",
    log:
        f"{RESULTS}/logs/leaf/{{kind}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/leaf/{{kind}}.tsv"
    wildcard_constraints:
        kind="|".join(LEAF_DATASETS),
    threads: study.threads
    resources:
        mem="2GB",
        runtime="1h",
    params:
        settings=lambda wildcards: as_json(study.leaf),
        dataset=subpath(input.dataset, parent=True),
        output=subpath(output.points, parent=True),
        code=fingerprint("thalweg.cli.steps.leaf"),
    message:
        "Learning photosynthesis from {wildcards.kind}"
    shell:
        "thalweg step leaf --kind {wildcards.kind} --dataset {params.dataset} --settings {params.settings:q}"
        " --threads {threads} --domain {output.domain} --simulations {output.simulations} --output {params.output}"
        " > {log} 2>&1"


rule leaf_recover:
    output:
        recovery=leaf_table("synthetic", "recovery", "recovery of known leaves"),
        leaves=f"{RESULTS}/tables/leaf/synthetic/leaves.csv",
    log:
        f"{RESULTS}/logs/leaf/synthetic.log",
    threads: study.threads
    resources:
        mem="2GB",
        runtime="1h",
    params:
        settings=lambda wildcards: as_json(study.leaf),
        output=subpath(output.leaves, parent=True),
        code=fingerprint("thalweg.cli.steps.leaf"),
    message:
        "Learning known leaves again"
    shell:
        "thalweg step leaf --kind synthetic --settings {params.settings:q} --threads {threads}"
        " --output {params.output} > {log} 2>&1"


rule aci_curves:
    input:
        points_csv=rules.leaf.output.points,
        fits_csv=rules.leaf.output.fits,
    output:
        **figure_outputs(
            "aci_curves/{kind}", "leaf_aci_curves", figure="A-Ci curves", domain="{kind}", subject="assimilation"
        ),
    log:
        f"{RESULTS}/logs/figures/aci_curves/{{kind}}.log",
    resources:
        **LIGHT,
    params:
        name="aci_curves",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("aci_curves"),
    message:
        "Drawing curves of assimilation, {wildcards.kind}"
    shell:
        DRAW


rule leaf_parameters:
    input:
        fits_csv=rules.leaf.output.fits,
        parameters_csv=rules.leaf.output.parameters,
        skill_csv=rules.leaf.output.parameter_skill,
    output:
        **figure_outputs(
            "leaf_parameters/{kind}",
            "leaf_parameters",
            figure="parameters of leaves",
            domain="{kind}",
            subject="Vcmax, Jmax",
        ),
    log:
        f"{RESULTS}/logs/figures/leaf_parameters/{{kind}}.log",
    resources:
        **LIGHT,
    params:
        name="leaf_parameters",
        arguments=lambda wildcards, input: draw_arguments(
            **dict(zip(("attribute", "attribute_label", "experiment"), LEAF_ATTRIBUTES[wildcards.kind]))
        )({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("leaf_parameters"),
    message:
        "Drawing parameters of leaves, {wildcards.kind}"
    shell:
        DRAW


rule leaf_recovery:
    input:
        leaves_csv=rules.leaf_recover.output.leaves,
        recovery_csv=rules.leaf_recover.output.recovery,
    output:
        **figure_outputs(
            "leaf_recovery",
            "leaf_recovery",
            figure="known leaves",
            domain="synthetic",
            subject="Vcmax25, stress exponent",
        ),
    log:
        f"{RESULTS}/logs/figures/leaf_recovery.log",
    resources:
        **LIGHT,
    params:
        name="leaf_recovery",
        arguments=lambda wildcards, input: draw_arguments()({}, input),
        output=lambda wildcards, output: output.png.removesuffix(".png"),
        code=figure_code("leaf_recovery"),
    message:
        "Drawing what was learned of known leaves"
    shell:
        DRAW


if study.leaf:
    FIGURES += [
        *(f"{RESULTS}/figures/aci_curves/{kind}.png" for kind in LEAF_CURVES),
        *(f"{RESULTS}/figures/leaf_parameters/{kind}.png" for kind in LEAF_PARAMETERS),
        f"{RESULTS}/figures/leaf_recovery.png",
    ]
    TABLES += [
        *(
            f"{RESULTS}/tables/leaf/{kind}/{name}.csv"
            for kind in LEAVES
            for name in ("curves", "fits", "parameters", "parameter_skill", "points")
        ),
        f"{RESULTS}/tables/leaf/synthetic/recovery.csv",
    ]
