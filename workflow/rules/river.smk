"""The river: what routing through the network brings.

Reads results/<study>/domains, simulations of the models routed through the river, and the table skill.csv; writes the tables
river/<domain>/<experiment>/{mass,skill,roughness}.csv.
"""


rule river:
    input:
        domain=rules.domain.output.domain,
        simulations=simulations(plan.routed_models),
        skill=rules.summarise.output.skill,
    output:
        mass=river_table("mass", "water balance"),
        skill=river_table("skill", "skill by drainage area"),
        roughness=river_table("roughness", "roughness by stream order"),
    log:
        f"{RESULTS}/logs/river/{{domain}}/{{experiment}}.log",
    resources:
        **LIGHT,
    params:
        settings=lambda wildcards: as_json(
            {
                "models": plan.compared_with_river(study, wildcards.domain, wildcards.experiment),
                "bootstrap_samples": study.evaluation.bootstrap_samples,
            }
        ),
        code=fingerprint("thalweg.cli.steps.river"),
    message:
        "Telling what the river brings, {wildcards.domain}, {wildcards.experiment}"
    shell:
        "thalweg step river --domain {input.domain} --simulations {input.simulations} --skill {input.skill} --settings {params.settings:q}"
        " --names {wildcards.domain} {wildcards.experiment} --mass {output.mass} --by-area {output.skill}"
        " --roughness {output.roughness} > {log} 2>&1"


TABLES += [
    f"{RESULTS}/tables/river/{domain}/{experiment}/{name}.csv"
    for domain, experiment in plan.rivers(study)
    for name in ("mass", "skill", "roughness")
]
