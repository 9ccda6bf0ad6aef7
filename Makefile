# make study   set up and run the default study to its figures and report; STUDY names another one, CORES limits the jobs at a time
# make test    set up and pass the tests; make long-test those that take long
# make golden  run the study 'smoke' and compare its numbers with those of tests/golden/smoke.json
# make triton-test  on Linux: test the kernels for CUDA devices, without one (installs Triton, 200 MB)
# make bmi-test  pass small trained models to the CSDMS bmi-tester, which it installs into an environment of its own
# make record  also keep a record of the study in docs/results, and the claims that the README shows
# make wheel-test  build a wheel, install it in an environment of its own, and predict with it as a newcomer would
# make weights train the models that come with the package (needs the data of CAMELS-US in THALWEG_MIRROR)
# make docs    build the documentation into site/index.html, which opens without a server
# make tutorials  run the notebooks of docs/tutorials again and keep their results
# make figures draw all figures of the study again
# make unlock  release the lock of a run on another machine that has ended; of one that was killed here, make study does it
# make clean   remove the environment and the study's results (downloaded data stay)

PYTHON ?= python3
CORES ?= all
STUDY ?= default
WEIGHTS = hbv-us=camels-us/temporal/hbv hbv-us-ungauged=camels-us/pub/hbv \
  hbv-dynamic-us=camels-us/temporal/hbv-dynamic hbv-dynamic-us-ungauged=camels-us/pub/hbv-dynamic \
  hbv-basic-us=camels-us-basic/temporal/hbv hbv-basic-us-ungauged=camels-us-basic/pub/hbv \
  stream-temperature-us=stream-temperature-ungauged/sites-out/stream-temperature

.PHONY: study test long-test golden triton-test bmi-test figures record docs tutorials weights wheel-test unlock clean

study: .venv/installed
	.venv/bin/thalweg study $(STUDY) --cores $(CORES)

test: .venv/installed
	OMP_NUM_THREADS=1 PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest -n auto -m "not long"

long-test: .venv/installed
	OMP_NUM_THREADS=1 PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest -m long

golden: .venv/installed
	$(MAKE) study STUDY=smoke
	.venv/bin/python tests/golden.py results/smoke

triton-test: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[triton]'
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest tests/test_triton.py

bmi-test: .venv/installed
	.venv/bin/python tests/bmi_tester.py .venv/bmi-tester

figures:
	rm -rf results/$(STUDY)/figures
	$(MAKE) study

record: study
	.venv/bin/thalweg record --results results/$(STUDY)

wheel-test:
	rm -rf .venv-wheel dist
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	began=$$(date +%s) && \
	  .venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check --constraint envs/requirements.lock dist/*.whl && \
	  cd "$$(mktemp -d)" && PYTHONPATH= $(CURDIR)/.venv-wheel/bin/python $(CURDIR)/tests/newcomer.py $$began
	rm -rf .venv-wheel dist

weights: .venv/installed
	.venv/bin/thalweg study weights --cores $(CORES)
	for pair in $(WEIGHTS); do \
	  .venv/bin/thalweg export $${pair#*=} --results results/weights --output src/thalweg/weights/$${pair%%=*}.safetensors || exit 1; \
	done

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build

tutorials: .venv/installed
	OMP_NUM_THREADS=1 .venv/bin/python docs/notebooks.py

.venv/docs: envs/docs-requirements.txt .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/docs-requirements.txt
	touch .venv/docs

unlock: .venv/installed
	.venv/bin/thalweg study $(STUDY) unlock

.venv/installed: envs/requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; assert (3, 11) <= sys.version_info < (3, 14), 'thalweg needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12'"
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch .venv/installed

clean:
	rm -rf .venv results/$(STUDY) .snakemake
