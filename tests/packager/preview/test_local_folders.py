import tempfile
from pathlib import Path

import pytest

from packager.preview.local_folders import local_folders


def test_folders_of_tmp_that_values_name_are_found() -> None:
    if not Path("/tmp").is_dir():
        pytest.skip("there is no /tmp")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        (Path(name) / "pg").mkdir()
        values = {
            "DATABASE_URL": f"sqlite:///{name}/shop.db?x=1",
            "OTHER": f"postgresql://u@/db?unix_sock={name}/pg/.s.PGSQL.5432&a=/tmp/{Path(name).name}/none/x",
            "OWN": "sqlite:////tmp/own.db",
            "UP": f"{name}/../x",
            "PLAIN": "value",
        }
        assert local_folders(values) == (name, f"{name}/pg")
