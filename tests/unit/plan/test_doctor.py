"""`foam doctor`: every illness it knows is brought about once."""

import json
import shutil
import socket
import sys
import time
from collections import namedtuple
from importlib.metadata import metadata

import huggingface_hub.constants as hub_constants
import pytest
import torch

from foam_cli.engine import doctor

CPU = {"device": "cpu", "precision": "fp32", "optimizer": "adamw", "threads": None}
Usage = namedtuple("Usage", "total used free")


def only(findings):
    (finding,) = findings
    assert (finding.mend != "") == (finding.status != "ok")
    return finding


def test_a_healthy_installation_trains(foam, monkeypatch):
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    said = foam("doctor", "hardware=cpu", "--json")
    found = {one["name"]: one for one in json.loads(said.out)}
    assert said.code == 0 and not [one for one in found.values() if one["status"] == "problem"]
    assert {"python", "settings", "device", "bitsandbytes", "disk", "hub", "extras"} <= found.keys()
    assert "torch" in said.err and "how to mend" in said.err


def test_what_would_stop_a_run_is_a_problem(foam, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    said = foam("doctor", "hardware=rtx3060")
    assert said.code == 1 and "torch sees no CUDA device" in said.out
    misspelt = foam("doctor", "hardwear=cpu")
    assert misspelt.code == 1 and "hardware" in misspelt.out


def test_packages(monkeypatch):
    needs = ["torch>=999", "nonesuch>=1", "hydra-core>=1; extra == 'test'", "omegaconf"]
    monkeypatch.setattr(doctor, "requires", lambda _: needs)
    found = {one.name: one for one in doctor.packages()}
    assert found.keys() == {"torch", "nonesuch"}
    assert found["torch"].status == "warning" and found["torch"].mend == "pip install 'torch>=999'"
    assert found["nonesuch"].status == "problem"


def test_extras_names_what_brings_the_missing_modules(monkeypatch):
    monkeypatch.setattr(
        doctor.importlib.util, "find_spec", lambda name: None if name in {"peft", "mlflow"} else name
    )
    (finding,) = doctor.extras()
    assert finding.status == "ok" and "not installed: peft, mlflow" in finding.detail
    assert finding.mend.endswith("'foam-cli[lora,trackers]'")
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: None)
    (finding,) = doctor.extras()
    wanted = finding.mend.partition("[")[2].partition("]")[0].split(",")
    assert set(wanted) <= set(metadata("foam-cli").get_all("Provides-Extra"))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: name)
    assert doctor.extras()[0].mend == ""


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert only(doctor.device(CPU)).status == "ok"
    assert only(doctor.device({**CPU, "precision": "bf16"})).status == "warning"
    assert only(doctor.device({**CPU, "device": "cuda"})).status == "problem"


@pytest.mark.parametrize(("optimizer", "status"), [("adamw", "warning"), ("adamw8bit", "problem")])
def test_bitsandbytes_matters_where_it_is_used(monkeypatch, optimizer, status):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim.adamw", None)  # importing it fails
    assert only(doctor.bitsandbytes({**CPU, "optimizer": optimizer})).status == status


def test_threads(monkeypatch):
    monkeypatch.setattr("foam_cli.engine.machine.cores", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert only(doctor.threads(CPU)).detail == "2 threads on 2 cores"
    assert only(doctor.threads({**CPU, "threads": 3})).status == "warning"
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert only(doctor.threads(CPU)).status == "problem"


@pytest.mark.parametrize(("gib", "status"), [(50, "ok"), (1, "warning"), (0.1, "problem")])
def test_room_on_the_disk(monkeypatch, tmp_path, gib, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, gib * 2**30))
    assert only(doctor.disk(tmp_path / "not" / "yet" / "there")).status == status


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    assert only(doctor.disk(tmp_path)).status == "problem"


def test_the_hub_is_knocked_at_and_never_waited_for(monkeypatch):
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(hub_constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert only(doctor.hub()).status == "ok"
    assert only(doctor.hub()).status == "warning"  # nobody listens there any more
    monkeypatch.setattr(doctor, "_HUB_SECONDS", 0.1)

    def asleep(*_, **__):
        time.sleep(1)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", asleep)
    started = time.monotonic()
    assert only(doctor.hub()).status == "warning" and time.monotonic() - started < 0.8


def test_shared_memory(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(64 * 2**20, 0, 0))
    assert [one.status for one in doctor.shared_memory()] in ([], ["warning"])


def test_a_check_that_fails_is_a_finding():
    def broken():
        raise ZeroDivisionError("oh")

    assert only(doctor._guarded("x", broken)).detail == "ZeroDivisionError: oh"
