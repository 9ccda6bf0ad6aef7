"""The explorer: one page that opens offline, with a map of all places, their series, learned parameters and scores.

Reads the resolved configuration, domains, simulations, tables/skill.csv, tables/internal_fluxes and the map dataset; writes
results/<study>/explorer.html.
"""

COAST = f"{DATA}/map/dataset.json"  # where a map of the study needs it
EXPLORER = [f"{RESULTS}/explorer.html"] if plan.domains(study) else []

config["explorer"] = bool(EXPLORER)

if EXPLORER:

    rule explorer:
        input:
            config=rules.configuration.output.config,
            domains=[f"{RESULTS}/domains/{name}.nc" for name in plan.domains(study)],
            simulations=[f"{RESULTS}/simulations/{'/'.join(run)}.nc" for run in RUNS],
            skill=rules.summarise.output.skill,
            fluxes=[path for job in ANALYSES if job.of == "internal_fluxes" for path, end, _ in job.outputs if not end],
            map=[COAST] if any(COAST in job.inputs for job in DRAWN) else [],
            web=sorted(map(str, source("thalweg.explorer").with_name("web").iterdir())),
        output:
            page=EXPLORER[0],
        log:
            f"{RESULTS}/logs/explorer.log",
        benchmark:
            f"{RESULTS}/benchmarks/explorer.tsv"
        resources:
            mem="4GB",
            runtime="1h",
        params:
            results=subpath(output.page, parent=True),
            map=lambda wildcards, input: ["--map", str(Path(input.map[0]).parent)] if input.map else [],
            code=fingerprint("thalweg.cli.steps.explorer"),
        message:
            "Writing the explorer"
        shell:
            "thalweg step explorer --results {params.results} {params.map:q} --output {output.page} > {log} 2>&1"
