"""Figures and analyses that a study names and that declare themselves: a rule for each.

Reads what they say; writes results/<study>/tables/<name> and figures/<name>, for the study, each domain or each experiment.
"""

for name in study.analyses:
    one = declaration("analysis", name)

    rule:
        name:
            f"analysis_{stem(name)}"
        input:
            unpack(declared_inputs(one)),
        output:
            table=report(
                f"{RESULTS}/tables/{declared_path(one, name)}.csv",
                category="Analyses",
                labels={part: f"{{{part}}}" for part in OF[one.of]} | {"table": one.title},
                caption="../report/declared.rst",
            ),
        log:
            f"{RESULTS}/logs/analyses/{declared_path(one, name)}.log",
        resources:
            **LIGHT,
        params:
            name=name,
            caption=one.caption,
            arguments=declared_arguments,
            code=fingerprint("thalweg.cli.steps.analyse", module_of("analysis", name)),
        message:
            f"Analysing: {one.title}"
        shell:
            "thalweg step analyse {params.name} --arguments {params.arguments:q} --output {output.table} > {log} 2>&1"


for name in study.figures:
    one = declaration("figure", name)

    rule:
        name:
            f"figure_{stem(name)}"
        input:
            unpack(declared_inputs(one)),
        output:
            **figure_outputs(
                declared_path(one, name), "declared", figure=one.title, **{part: f"{{{part}}}" for part in OF[one.of]}
            ),
        log:
            f"{RESULTS}/logs/figures/{declared_path(one, name)}.log",
        resources:
            **LIGHT,
        params:
            name=name,
            caption=one.caption,
            arguments=declared_arguments,
            output=lambda wildcards, output: output.png.removesuffix(".png"),
            code=figure_code(name),
        message:
            f"Drawing: {one.title}"
        shell:
            DRAW


TABLES += [f"{RESULTS}/{path}" for name in study.analyses for path in outputs(study, "analysis", name, "csv")]
FIGURES += [f"{RESULTS}/{path}" for name in study.figures for path in outputs(study, "figure", name, "png")]
