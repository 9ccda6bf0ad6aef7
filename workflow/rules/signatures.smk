"""Signatures: do models rank catchments as their observed hydrographs do?

Reads simulations of experiments between periods; writes the tables results/<study>/tables/signatures/<domain>/<experiment>.csv.
"""


rule signatures:
    input:
        simulations=simulations(plan.models_of),
    output:
        table=report(
            f"{RESULTS}/tables/signatures/{{domain}}/{{experiment}}.csv",
            category="Skill",
            caption="../report/signatures.rst",
            labels={"domain": "{domain}", "table": "signatures, {experiment}"},
        ),
    log:
        f"{RESULTS}/logs/signatures/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        settings=as_json({"minimum_days": round(study.evaluation.minimum_days)}),
        code=fingerprint("thalweg.cli.steps.signatures"),
    message:
        "Comparing signatures, {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step signatures --simulations {input.simulations} --settings {params.settings:q} --output {output.table} > {log} 2>&1"


SIGNATURE_TABLES = [
    f"{RESULTS}/tables/signatures/{domain}/{experiment}.csv" for domain, experiment in plan.between_periods(study)
]
