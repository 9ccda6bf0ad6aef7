"""Regridding: rain grids to catchments.

Reads data/cevennes; writes results/<study>/domains/cevennes.nc and its tables of areas and rain by scheme.
"""


rule regrid:
    input:
        dataset=f"{DATA}/cevennes/dataset.json",
    output:
        domain=f"{RESULTS}/domains/cevennes.nc",
        areas=report(
            f"{RESULTS}/tables/cevennes_areas.csv",
            category="Data",
            caption="../report/cevennes_areas.rst",
            labels={"domain": "cevennes", "table": "areas"},
        ),
        volume=report(
            f"{RESULTS}/tables/cevennes_volume.csv",
            category="Data",
            caption="../report/cevennes_volume.rst",
            labels={"domain": "cevennes", "table": "rain by scheme"},
        ),
    log:
        f"{RESULTS}/logs/regrid.log",
    benchmark:
        f"{RESULTS}/benchmarks/regrid.tsv"
    resources:
        mem="4GB",
        runtime="1h",
    params:
        settings=as_json(study.domains.get("cevennes", {})),
        dataset=subpath(input.dataset, parent=True),
        code=fingerprint("thalweg.cli.steps.regrid"),
    message:
        "Delineating the Cévennes catchments and aggregating rain grids to them"
    shell:
        "thalweg step regrid --dataset {params.dataset} --settings {params.settings:q} --output {output.domain}"
        " --areas {output.areas} --volume {output.volume} > {log} 2>&1"
