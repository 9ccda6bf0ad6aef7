"""Data: the resolved configuration, download, and the canonical form.

Reads config/datasets.yaml; writes results/<study>/config.yaml, data/<dataset>, and results/<study>/domains/<domain>.nc with its
table of places.
"""

CATALOGUE = BASE / "config" / "datasets.yaml"
ENTRIES = yaml.safe_load(CATALOGUE.read_text())


rule configuration:
    output:
        config=f"{RESULTS}/config.yaml",
    log:
        f"{RESULTS}/logs/configuration.log",
    resources:
        **LIGHT,
    params:
        settings=json.dumps(resolved(study)),  # in the order of the study, which decides the colours of models
        code=fingerprint("thalweg.cli.config"),
    message:
        "Writing the resolved configuration"
    shell:
        "thalweg config resolve --settings {params.settings:q} --output {output.config} > {log} 2>&1"


rule fetch:
    output:
        record=f"{DATA}/{{dataset}}/dataset.json",
    log:
        f"{RESULTS}/logs/fetch/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch/{{dataset}}.tsv"
    resources:
        runtime="2h",
    params:
        entry=lambda wildcards: as_json(ENTRIES[wildcards.dataset]),
        catalogue=CATALOGUE,
        folder=subpath(output.record, parent=True),
        mirror=f"--mirror {study.mirror}" if study.mirror else "",
        code=fingerprint("thalweg.cli.fetch"),
    message:
        "Fetching dataset {wildcards.dataset}"
    shell:
        "thalweg fetch {wildcards.dataset} --catalogue {params.catalogue} --into {params.folder} {params.mirror} 2> {log}"


rule domain:
    input:
        files=lambda wildcards: plan.files(study, wildcards.domain),
    output:
        domain=f"{RESULTS}/domains/{{domain}}.nc",
        places=table("tables/places/{domain}", "places", "Data", domain="{domain}"),
    log:
        f"{RESULTS}/logs/domain/{{domain}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/domain/{{domain}}.tsv"
    wildcard_constraints:
        domain="|".join(study.domains) or "(?!)",
    resources:
        mem="2GB",
    params:
        settings=lambda wildcards: as_json(study.domains[wildcards.domain]),
        dataset=lambda wildcards: plan.folder(study, wildcards.domain),
        code=lambda wildcards: fingerprint(
            "thalweg.cli.steps.domain", reader(study.domains[wildcards.domain].kind).__name__
        ),
    message:
        "Building domain {wildcards.domain}"
    shell:
        "thalweg step domain {wildcards.domain} --dataset {params.dataset:q} --settings {params.settings:q}"
        " --output {output.domain} --table {output.places} > {log} 2>&1"
