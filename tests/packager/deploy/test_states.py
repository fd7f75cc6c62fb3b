import botocore.session
import pytest

from packager.deploy.states import STATES, is_moving, state

KNOWN = botocore.session.get_session().get_service_model("cloudformation").shape_for("StackStatus").enum


@pytest.mark.parametrize("status", KNOWN)
def test_every_status_of_cloudformation_is_known(status):
    assert state(status) is STATES[status]


@pytest.mark.parametrize("status", KNOWN)
def test_what_cloudformation_is_at_work_on_is_waited_for(status):
    assert is_moving(status) == (state(status).step == "wait")


@pytest.mark.parametrize(
    "status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"]
)
def test_a_stack_that_never_was_live_is_deleted_first(status):
    assert state(status).step == "delete first"


@pytest.mark.parametrize(
    "status", [key for key, row in STATES.items() if row.step in {"refuse", "continue rollback"}]
)
def test_what_cannot_go_on_names_the_next_command(status):
    command = state(status).next
    assert command is not None
    assert command.format(name="shop-dev-api", region="eu-west-1", stage="dev").split()[0] in {
        "aws",
        "packager",
    }


def test_a_stack_that_is_not_there_is_created():
    assert state(None).step == "create"
    assert state("DELETE_COMPLETE").step == "create"


def test_a_status_of_a_later_day_is_refused():
    assert state("DANCE_IN_PROGRESS").step == "refuse"
