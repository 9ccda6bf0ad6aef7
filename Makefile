# make study   set up and run the default study to its figures and report
# make test    set up and pass the tests
# make golden  run the study 'smoke' and compare its numbers with those of tests/golden/smoke.json
# make triton-test  on Linux: test the kernels for CUDA devices, without one (installs Triton, 200 MB)
# make record  also keep a record of the study in docs/results, and the claims that the README shows
# make docs    build the documentation into site/index.html, which opens without a server
# make figures redraw the figures of the default study
# make unlock  after the workflow itself was killed: release its lock, then run make study again
# make clean   remove the environment and the study's results (downloaded data stay)

PYTHON ?= python3
CORES ?= all
STUDY ?= default
SNAKEMAKE = .venv/bin/snakemake --cores $(CORES) --config study=$(STUDY)

.PHONY: study test long-test golden triton-test figures record docs unlock clean

study: .venv/installed
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(SNAKEMAKE)
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(SNAKEMAKE) --report results/$(STUDY)/report.html
	@echo "The report is results/$(STUDY)/report.html, the figures are in results/$(STUDY)/figures."

test: .venv/installed
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest -m "not long"

long-test: .venv/installed
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest -m long

golden: .venv/installed
	$(MAKE) study STUDY=smoke
	.venv/bin/python tests/golden.py results/smoke

triton-test: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[triton]'
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest tests/test_triton.py

figures: .venv/installed
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(SNAKEMAKE) --forcerun claims_figure skill_overview sparse_data skill_distance elasticity_figure untrained_figure attribution_figure trends_figure peaks_figure which_prior_figure prior_ranking skill_cdf skill_map hydrographs parameter_map learning_curves river_map skill_area nested_hydrographs recovery rain_grid workflow_graph series skill_places parameter_attribute heat_budget place_network aci_curves leaf_parameters leaf_recovery canopy_figure

record: study
	.venv/bin/thalweg record --results results/$(STUDY)

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build

.venv/docs: envs/docs-requirements.txt .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/docs-requirements.txt
	touch .venv/docs

unlock: .venv/installed
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(SNAKEMAKE) --unlock

.venv/installed: envs/requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; assert (3, 11) <= sys.version_info < (3, 14), 'thalweg needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12'"
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch .venv/installed

clean:
	rm -rf .venv results/$(STUDY) .snakemake
