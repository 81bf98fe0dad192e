import pytest

from voxgate.model import errors
from voxgate.wire.errors import status_code
from voxgate_jobs.failures import job_error


def every_error(root: type[errors.VoxgateError] = errors.VoxgateError) -> list[type[errors.VoxgateError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in every_error(child))]


@pytest.mark.parametrize("kind", every_error())
def test_a_record_names_the_same_code_as_the_wire(kind: type[errors.VoxgateError]):
    error = kind("it broke", "mend it")
    record = job_error(error)
    assert (record.reason, record.message) == (kind.reason, "it broke; mend it")
    assert record.code == status_code(error).name


def test_an_error_that_is_not_ours_tells_nothing_of_itself():
    record = job_error(OSError(2, "No such file", "/srv/secret/info"))
    assert (record.reason, record.code) == ("INTERNAL", "INTERNAL")
    assert "secret" not in record.message
