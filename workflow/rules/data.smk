"""Data: download and the canonical form.

Reads config/datasets.yaml; writes data/<dataset> and results/<study>/domains/<domain>.nc with its table of gauges.
"""

import yaml

CATALOGUE = BASE / "config" / "datasets.yaml"
ENTRIES = yaml.safe_load(CATALOGUE.read_text())


rule fetch:
    message:
        "Fetching dataset {wildcards.dataset}"
    output:
        f"{DATA}/{{dataset}}/dataset.json",
    params:
        entry=lambda wildcards: as_json(ENTRIES[wildcards.dataset]),
        catalogue=CATALOGUE,
        folder=subpath(output[0], parent=True),
        mirror=f"--mirror {study.mirror}" if study.mirror else "",
    log:
        f"{RESULTS}/logs/fetch/{{dataset}}.log",
    resources:
        runtime="2h",
    shell:
        "thalweg fetch {wildcards.dataset} --catalogue {params.catalogue} --into {params.folder} {params.mirror} 2> {log}"


rule domain:
    message:
        "Building domain {wildcards.domain}"
    input:
        dataset=f"{DATA}/{{domain}}/dataset.json",
    output:
        domain=f"{RESULTS}/domains/{{domain}}.nc",
        gauges=report(
            f"{RESULTS}/tables/gauges_{{domain}}.csv", category="Data", caption="../report/gauges.rst", labels={"domain": "{domain}", "table": "gauges"}
        ),
    wildcard_constraints:
        domain="|".join(GAUGED),
    params:
        settings=lambda wildcards: as_json(getattr(study.domains, wildcards.domain)),
        dataset=subpath(input.dataset, parent=True),
        code=fingerprint("thalweg.cli.domain"),
    log:
        f"{RESULTS}/logs/domain/{{domain}}.log",
    resources:
        mem="2GB",
    shell:
        "thalweg domain {wildcards.domain} --dataset {params.dataset} --settings {params.settings:q}"
        " --output {output.domain} --table {output.gauges} > {log} 2>&1"
