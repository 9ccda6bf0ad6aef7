"""Cost: what each experiment took.

Reads the benchmark files of training and simulation and the training logs; writes results/<study>/tables/cost.csv. Benchmark
files are written beside the declared outputs, so it waits for the simulations; what was not measured is left empty.
"""


rule cost:
    input:
        simulations=[f"{RESULTS}/simulations/{'/'.join(run)}.nc" for run in (*RUNS, *zip(ESTIMATORS))],
    output:
        cost=report(
            f"{RESULTS}/tables/cost.csv",
            category="Cost",
            caption="../report/cost.rst",
            labels={"domain": "all", "table": "cost"},
        ),
    log:
        f"{RESULTS}/logs/cost.log",
    resources:
        **LIGHT,
    params:
        results=subpath(output.cost, ancestor=2),
        runs=["/".join(run) for run in RUNS],
        estimates=[f"{'canopy' if name == 'davos' else 'leaf'}/{name}" for name in ESTIMATORS],
        code=fingerprint("thalweg.cli.steps.cost"),
    message:
        "Reporting run time, memory and optimiser steps of each experiment"
    shell:
        "thalweg step cost --results {params.results} --runs {params.runs} --estimates {params.estimates}"
        " --output {output.cost} > {log} 2>&1"


COST_TABLES = list(rules.cost.output) if RUNS or ESTIMATORS else []
