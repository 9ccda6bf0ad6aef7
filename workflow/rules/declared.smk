"""Figures and analyses: a rule for each job of those declared in the package or named in the study.

Reads the declared inputs; writes results/<study>/tables/<analysis> and results/<study>/figures/<figure>.
"""

ANALYSES = register.jobs(study, "analysis")
DRAWN = register.jobs(study, "figure")
config["study"] = study.study
config["story"] = register.story(DRAWN)
config["captions"] |= {job.name: job.declared.caption for job in (*ANALYSES, *DRAWN)}

for job in ANALYSES:

    rule:
        name:
            job.name
        input:
            job.inputs,
        output:
            [reported(path, job, place, end) for path, end, place in job.outputs],
        log:
            f"{RESULTS}/logs/{job.name}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{job.name}.tsv"
        threads: study.threads
        resources:
            mem=job.declared.memory,
            runtime=job.declared.runtime,
        params:
            of=job.of,
            calls=job.calls,
            code=job.code,
        message:
            f"Analysing: {job.declared.title}"
        shell:
            "thalweg step analyse {params.of} --calls {params.calls:q} > {log} 2>&1"


for job in DRAWN:

    rule:
        name:
            job.name
        input:
            job.inputs,
        output:
            [reported(path, job, place, end) for path, end, place in job.outputs],
            [path.replace(".png", ".pdf") for path, *_ in job.outputs],
        log:
            f"{RESULTS}/logs/{job.name}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{job.name}.tsv"
        resources:
            mem=job.declared.memory,
            runtime=job.declared.runtime,
        params:
            of=job.of,
            calls=job.calls,
            code=job.code,
        message:
            f"Drawing: {job.declared.title}"
        shell:
            "thalweg step draw {params.of} --calls {params.calls:q} > {log} 2>&1"


EVIDENCE = [
    *register.evidence(ANALYSES),
    *[path for path in ESTIMATED if path.endswith("evidence.csv")],
]
RESULT_FILES = [
    *[path for job in (*ANALYSES, *DRAWN) for path, *_ in job.outputs],
    *ESTIMATED,
    *[f"{RESULTS}/tables/{name}.csv" for name in ("skill", "summary", "comparison") if SCORES],
    *[f"{RESULTS}/tables/claims.{suffix}" for suffix in ("csv", "md") if plan.claims(study)],
]
