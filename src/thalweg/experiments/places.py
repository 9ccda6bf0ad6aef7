"""What there may be one figure or one analysis of: lists of the plan, with the names of their parts."""

from thalweg.experiments import plan

RUN = ("domain", "experiment")
MODEL = (*RUN, "model")
PLACES = {  # of a declaration -> names of the parts, function of the study that lists them
    "study": ((), lambda study: [()]),
    "domain": (("domain",), lambda study: [(name,) for name in plan.domains(study)]),
    "experiment": (RUN, plan.experiments),
    "overview": ((), lambda study: [()] if plan.main_experiments(study) else []),
    "main_experiments": (RUN, plan.main_experiments),
    "mapped_experiments": (RUN, plan.mapped_experiments),
    "later_periods": (RUN, plan.later_periods),
    "trained_in_time": (RUN, lambda study: plan.with_some(study, plan.later_periods(study), plan.drawn_trained)),
    "processes_in_time": (RUN, lambda study: plan.with_some(study, plan.later_periods(study), plan.processes_of)),
    "attributed": (RUN, plan.attributed),
    "attributed_discharge": (RUN, plan.attributed_discharge),
    "between_periods": (RUN, plan.between_periods),
    "long_tests": (RUN, plan.long_tests),
    "unseen_floods": (RUN, plan.unseen_floods),
    "published": (RUN, plan.published),
    "published_study": ((), lambda study: [()] if plan.published(study) else []),
    "rivers": (RUN, plan.rivers),
    "routed": (MODEL, plan.routed),
    "ranked_processes": (RUN, plan.ranked_processes),
    "mapped": (MODEL, plan.mapped),
    "trained_domains": (("domain",), plan.trained_domains),
    "gridded": (("domain",), lambda study: [(name,) for name in plan.gridded(study)]),
    "sparse": (
        ("domain",),
        lambda study: [(name,) for name in dict.fromkeys(domain for domain, _ in plan.sparse(study))],
    ),
    "ungauged": (("domain",), lambda study: [(name,) for name in plan.ungauged(study)]),
    "sampled": (RUN, plan.sampled),
    "sampled_variables": (("domain", "variable"), plan.sampled_variables),
    "on_networks": (RUN, plan.on_networks),
    "described_by_attributes": (MODEL, plan.described_by_attributes),
    "heat_budgets": (MODEL, plan.heat_budgets),
    "load_balances": (MODEL, plan.load_balances),
    "claimed": ((), lambda study: [()] if plan.claims(study) else []),
    "twin_priors": (("domain",), lambda study: [(study.which_prior.domain,)] if study.which_prior else []),
    "twin_rivers": (("domain",), plan.twin_rivers),
    "leaf_curves": (("kind",), plan.leaf_curves),
    "leaf_parameters": (("kind",), plan.leaf_parameters),
    "twin_leaves": ((), lambda study: [()] if study.leaf else []),
    "canopy": ((), lambda study: [()] if study.canopy else []),
}
