"""Leaves, a canopy, and twin experiments: jobs that train all of their models together.

Reads data/{leaf,leaf-lce,davos} and domains; writes domains/<kind>.nc, simulations/<kind>.nc, simulations/davos.nc and the tables
leaf, canopy, twin_priors and twin_river.
"""

from thalweg.settings.leaf import LEAVES

LEAF_TABLES = ("curves", "fits", "parameters", "parameter_skill", "points")
CANOPY_TABLES = ("evidence", "parameters", "daily", "cycle")
PRIOR_TABLES = ("scores", "confusion", "margins", "evidence")


rule leaf:
    input:
        dataset=lambda wildcards: plan.leaf_dataset(study, wildcards.kind),
    output:
        domain=f"{RESULTS}/domains/{{kind}}.nc",
        simulations=f"{RESULTS}/simulations/{{kind}}.nc",
        curves=table("tables/leaf/{kind}/curves", "curves kept and left out", "Leaf", dataset="{kind}"),
        fits=table("tables/leaf/{kind}/fits", "parameters of each curve", "Leaf", dataset="{kind}"),
        parameters=f"{RESULTS}/tables/leaf/{{kind}}/parameters.csv",
        skill=table("tables/leaf/{kind}/parameter_skill", "skill of predicted parameters", "Leaf", dataset="{kind}"),
        points=f"{RESULTS}/tables/leaf/{{kind}}/points.csv",
    log:
        f"{RESULTS}/logs/leaf/{{kind}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/leaf/{{kind}}.tsv"
    wildcard_constraints:
        kind="|".join(LEAVES),
    threads: study.threads
    resources:
        mem="2GB",
        runtime="1h",
    params:
        settings=lambda wildcards: as_json(study.leaf),
        dataset=subpath(input.dataset, parent=True),
        output=subpath(output.points, parent=True),
        code=lambda wildcards: fingerprint("thalweg.cli.steps.leaf", reader(LEAVES[wildcards.kind].builder[0]).__name__),
    message:
        "Learning photosynthesis from {wildcards.kind}"
    shell:
        "thalweg step leaf --kind {wildcards.kind} --dataset {params.dataset} --settings {params.settings:q}"
        " --threads {threads} --domain {output.domain} --simulations {output.simulations} --output {params.output}"
        " > {log} 2>&1"


rule leaf_twin:
    output:
        recovery=table("tables/leaf/synthetic/recovery", "recovery of synthetic leaves", "Leaf", dataset="synthetic"),
        leaves=f"{RESULTS}/tables/leaf/synthetic/leaves.csv",
    log:
        f"{RESULTS}/logs/leaf/synthetic.log",
    benchmark:
        f"{RESULTS}/benchmarks/leaf_twin.tsv"
    threads: study.threads
    resources:
        mem="2GB",
        runtime="1h",
    params:
        settings=lambda wildcards: as_json(study.leaf),
        output=subpath(output.leaves, parent=True),
        code=fingerprint("thalweg.cli.steps.leaf"),
    message:
        "Recovering the parameters of synthetic leaves"
    shell:
        "thalweg step leaf --kind synthetic --settings {params.settings:q} --threads {threads}"
        " --output {params.output} > {log} 2>&1"


rule canopy:
    input:
        dataset=f"{DATA}/davos/dataset.json",
    output:
        simulations=f"{RESULTS}/simulations/davos.nc",
        evidence=f"{RESULTS}/tables/canopy/evidence.csv",
        parameters=table("tables/canopy/parameters", "parameters of the canopy", "Canopy", dataset="davos"),
        daily=f"{RESULTS}/tables/canopy/daily.csv",
        cycle=f"{RESULTS}/tables/canopy/cycle.csv",
    log:
        f"{RESULTS}/logs/canopy.log",
    benchmark:
        f"{RESULTS}/benchmarks/canopy/davos.tsv"
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=as_json(study.canopy or {}),
        folder=subpath(input.dataset, parent=True),
        samples=study.evaluation.bootstrap_samples,
        code=fingerprint("thalweg.cli.steps.canopy"),
    message:
        "Learning a canopy from the Davos flux tower"
    shell:
        "thalweg step canopy --dataset {params.folder} --settings {params.settings:q} --threads {threads}"
        " --bootstrap-samples {params.samples} --simulations {output.simulations} --parameters {output.parameters}"
        " --daily {output.daily} --cycle {output.cycle} --evidence {output.evidence} > {log} 2>&1"


rule twin_priors:
    input:
        domain=rules.domain.output.domain,
    output:
        scores=f"{RESULTS}/tables/twin_priors/{{domain}}/scores.csv",
        confusion=table(
            "tables/twin_priors/{domain}/confusion", "generating and learning prior", "Priors", domain="{domain}"
        ),
        margins=table(
            "tables/twin_priors/{domain}/margins", "generating prior and the best other", "Priors", domain="{domain}"
        ),
        evidence=f"{RESULTS}/tables/twin_priors/{{domain}}/evidence.csv",
    log:
        f"{RESULTS}/logs/twin_priors/{{domain}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/twin_priors/{{domain}}.tsv"
    priority: 100  # s, about
    threads: study.threads
    resources:
        mem="4GB",
        runtime="4h",
    params:
        settings=as_json(study.twin_priors or {}),
        checkpoints=f"{RESULTS}/checkpoints/twin_priors/{{domain}}",
        code=code_of("thalweg.cli.steps.twin_priors", as_json(study.twin_priors or {})),
    message:
        "Twin experiment on {wildcards.domain}: can the generating prior be identified?"
    shell:
        "thalweg step twin_priors --domain {input.domain} --settings {params.settings:q} --checkpoints {params.checkpoints}"
        " --threads {threads} --scores {output.scores} --confusion {output.confusion} --margins {output.margins}"
        " --evidence {output.evidence} 2> {log}"


rule twin_river:
    input:
        domain=rules.domain.output.domain,
    output:
        table=table("tables/twin_river/{domain}", "recovery of a synthetic river", "River", domain="{domain}"),
        reaches=f"{RESULTS}/tables/twin_river/{{domain}}_reaches.csv",
    log:
        f"{RESULTS}/logs/twin_river/{{domain}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/twin_river/{{domain}}.tsv"
    priority: 100  # s, about
    threads: study.threads
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=lambda wildcards: as_json(plan.twin_river_settings(study, wildcards.domain)),
        code=fingerprint("thalweg.cli.steps.twin_river"),
    message:
        "Twin experiment on {wildcards.domain}: can the river's roughness be recovered?"
    shell:
        "thalweg step twin_river --domain {input.domain} --settings {params.settings:q} --threads {threads}"
        " --table {output.table} --reaches {output.reaches} > {log} 2>&1"


ESTIMATED = [
    f"{RESULTS}/tables/{path}.csv"
    for path in (
        *[f"leaf/{kind}/{name}" for kind in plan.leaf_kinds(study) for name in LEAF_TABLES],
        *[f"leaf/synthetic/recovery" for _ in plan.leaf_kinds(study)[:1]],
        *[f"canopy/{name}" for name in CANOPY_TABLES if study.canopy],
        *[f"twin_priors/{study.twin_priors.domain}/{name}" for name in PRIOR_TABLES if study.twin_priors],
        *[f"twin_river/{domain}" for domain, in plan.twin_rivers(study)],
    )
]
