# Two commands matter: `make demo` and `make test`. All make environments of their own and leave yours alone.
#
#   make test PYTEST='tests/core -x'                                        some of the tests
#   PROCESSES=8 make test                                                   in eight processes, where there are the cores and 1 GB each
#   PYTHON=python3.12 make test                                             another interpreter
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo      torch without CUDA, a far smaller download

PYTHON ?= python3
WORK := .make
DEMO := .demo
TEST := $(WORK)/test
DOCS := $(WORK)/docs
LOWEST := $(WORK)/lowest
OUT  := runs/rooms
PROCESSES ?= 2
# A file stays in one process: its tests share what they set up.
SPREAD := -n $(PROCESSES) --dist loadfile

# Modules that lie in the checkout (`core`, `cli`) must never be imported by accident: no folder is put on the path unasked.
export PYTHONSAFEPATH := 1
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start many processes. Python compiles what they import once, not pip all that is installed.
unexport PYTHONDONTWRITEBYTECODE

SOURCES := $(sort $(shell find app core plugins cli testing weights -type f ! -path '*/__pycache__/*')) \
	__init__.py py.typed pyproject.toml README.md LICENSE

.DEFAULT_GOAL := help
.PHONY: help demo docs test test-full test-lowest processors mutants check clean python FORCE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO)/installed ## Install into .demo, run the method on the bundled model, and write a report
	$(DEMO)/bin/ganstrata run examples/rooms.yaml --out $(OUT)
	@echo
	@echo "The report is $(CURDIR)/$(OUT)/report.html: open it in a browser, it needs no network."
	@echo "To move its pictures yourself: $(DEMO)/bin/ganstrata app $(OUT)"

docs: $(DOCS)/installed ## Build the documentation site, and say where it is
	$(DOCS)/bin/sphinx-build -W -n --keep-going --quiet -d $(WORK)/doctrees -c docs . $(WORK)/site
	@echo "The documentation is $(CURDIR)/$(WORK)/site/index.html: open it in a browser, it needs no network."

test test-full: export GANSTRATA_WHEEL := 1
test: check ## Build the wheel, install it into .make, check style, types and layers, run the tests
	$(TEST)/bin/pytest $(SPREAD) $(PYTEST)

test-full: check ## The same with the tests that take long, and the share of lines that they run
	$(TEST)/bin/pytest $(SPREAD) -m "" --cov $(PYTEST)

test-lowest: export GANSTRATA_WHEEL := 1
test-lowest: $(LOWEST)/installed ## The tests with the lowest versions that pyproject.toml allows (Python 3.11 has them all)
	$(LOWEST)/bin/pytest $(SPREAD) $(PYTEST)

mutants: $(TEST)/installed ## Make small faults and see whether the tests notice, MUTANTS='core/rescoring/effects.py --share 1' (hours for all)
	PYTHONPATH=tests/mutation $(TEST)/bin/python tests/mutation/run.py $(MUTANTS)

processors: $(TEST)/installed ## Run the tests that compare bits as other processors and libraries compute, and print a table (an hour)
	PYTHONPATH=tests $(TEST)/bin/python tests/processors.py $(PYTEST)

clean: ## Remove the environments and caches; runs stay
	rm -rf $(DEMO) $(WORK) dist ganstrata.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -type d -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

# Everything but the tests. The last line proves that what is tested is the wheel; so does tests/test_installed.py.
check: $(TEST)/installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/codespell
	@# Beside mypy, which takes one core: what tests import is compiled, and their asserts rewritten, not in every process again.
	@$(TEST)/bin/pytest --collect-only --quiet $(PYTEST) > /dev/null 2>&1 & \
	$(TEST)/bin/mypy; status=$$?; wait; exit $$status
	$(TEST)/bin/lint-imports
	@$(TEST)/bin/python -c "import ganstrata, pathlib, sysconfig; \
	found, site = pathlib.Path(ganstrata.__file__).resolve(), pathlib.Path(sysconfig.get_path('purelib')).resolve(); \
	assert site in found.parents, f'ganstrata is imported from {found}, not from the wheel in {site}'; \
	print('testing the wheel in', found.parent)"

python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { \
	echo "Error: $(PYTHON) is missing or older than 3.11 ($$($(PYTHON) --version 2>&1 | head -1)). Name another: PYTHON=python3.12 make $(MAKECMDGOALS)" >&2; exit 2; }

$(DEMO)/installed: pyproject.toml constraints.txt | python
	rm -rf $(DEMO)
	$(PYTHON) -m venv $(DEMO)
	@echo "Installing ganstrata and what it needs into $(DEMO). torch is by far the largest package."
	$(DEMO)/bin/pip install -c constraints.txt -e ".[app]"
	@touch $@

$(DOCS)/installed: pyproject.toml constraints.txt | python
	rm -rf $(DOCS)
	$(PYTHON) -m venv $(DOCS)
	@echo "Installing ganstrata and what builds its documentation into $(DOCS). torch is by far the largest package."
	$(DOCS)/bin/pip install -c constraints.txt -e ".[docs]"
	@touch $@

$(TEST)/made: | python
	rm -rf $(TEST)
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/pip install --quiet build
	@touch $@

# Changes when a source is added, renamed or removed, which no time stamp of the others would show.
$(WORK)/sources: FORCE
	@mkdir -p $(WORK)
	@echo $(SOURCES) | tr ' ' '\n' | cmp -s - $@ || echo $(SOURCES) | tr ' ' '\n' > $@

# The wheel is built from the source archive, in a folder of its own: what the archive lacks, or what an
# earlier build left behind, cannot hide.
$(WORK)/dist/built: $(SOURCES) $(WORK)/sources $(TEST)/made
	rm -rf $(WORK)/dist ganstrata.egg-info
	$(TEST)/bin/python -m build --outdir $(WORK)/dist . > $(WORK)/build.log 2>&1 || { cat $(WORK)/build.log; exit 1; }
	@rm -rf ganstrata.egg-info
	@touch $@

$(TEST)/installed: $(WORK)/dist/built constraints.txt
	@echo "Installing the wheel and what its tests need into $(TEST): minutes without a word, where torch is fetched."
	$(TEST)/bin/pip install --quiet --no-compile -c constraints.txt "$$(echo $(WORK)/dist/*.whl)[test]"
	$(TEST)/bin/pip install --quiet --no-deps --force-reinstall $(WORK)/dist/*.whl
	@touch $@

$(LOWEST)/installed: $(WORK)/dist/built constraints-lowest.txt
	rm -rf $(LOWEST)
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet -c constraints-lowest.txt "$$(echo $(WORK)/dist/*.whl)[test]"
	@touch $@
