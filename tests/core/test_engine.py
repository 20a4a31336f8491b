"""Tasks spread over processes, or done in this one: results, errors and threads."""

from __future__ import annotations

import pytest
import torch
from ganstrata.core.config import RunConfig
from ganstrata.core.configfile import validate
from ganstrata.core.engine import Engine, WorkerError, worker_count
from ganstrata.core.errors import DataError, UserError
from ganstrata.core.prepare import Prepared, prepare


@pytest.fixture
def prepared(fakes, config, request: pytest.FixtureRequest) -> Prepared:
    config["engine"] = {"workers": getattr(request, "param", 1), "threads": 2}
    return prepare(validate(config, "test"))


def test_one_worker_does_the_tasks_here_in_order(prepared: Prepared, fakes) -> None:
    before = torch.get_num_threads()
    with Engine(prepared) as engine:
        assert list(engine.map(fakes.double, range(5))) == [0, 2, 4, 6, 8]
        assert list(engine.map(fakes.double, [])) == []
        assert list(engine.map(fakes.threads, [0])) == [2]
        with pytest.raises(DataError, match="task 1 cannot be done"):
            list(engine.map(fakes.refuse, [1]))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("prepared", [2], indirect=True)
def test_two_workers_do_every_task_once_and_report_errors(prepared: Prepared, fakes) -> None:
    with Engine(prepared) as engine:
        assert sorted(engine.map(fakes.double, range(23))) == list(range(0, 46, 2))
        # The same workers go on after an error, which keeps its words and its exit code.
        with pytest.raises(UserError, match=r"task \d cannot be done") as refused:
            list(engine.map(fakes.refuse, range(3)))
        assert refused.value.exit_code == 2
        with pytest.raises(WorkerError, match=r"task \d failed") as failed:
            list(engine.map(fakes.fail, range(3)))
        assert failed.value.exit_code == 1
        assert set(engine.map(fakes.threads, range(4))) == {2}


@pytest.mark.parametrize(("workers", "threads", "cores", "wanted"), [(3, 1, 8, 3), ("auto", 1, 8, 8), ("auto", 2, 8, 4), ("auto", 4, 2, 1)])
def test_auto_is_a_worker_per_core(fakes, config, workers, threads: int, cores: int, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganstrata.core.engine.cores", lambda: cores)
    config["engine"] = {"workers": workers, "threads": threads}
    assert worker_count(RunConfig.model_validate(config)) == wanted


def test_a_worker_that_cannot_begin_says_why(fakes, config, monkeypatch: pytest.MonkeyPatch) -> None:
    config["engine"] = {"workers": 2}
    ready = prepare(validate(config, "test"))
    monkeypatch.setenv("GANSTRATA_PLUGINS", "ganstrata")  # the workers will not know the fakes
    with pytest.raises(UserError, match="No generator named 'fake_layers'"), Engine(ready) as engine:
        list(engine.map(fakes.double, range(4)))
