import json
import logging
import re

import pytest

from voxgate_serving.logs import log_to_stderr, logger


@pytest.fixture
def said(capfd):
    """What was logged to standard error; afterwards logging is as it was."""
    loggers = [logging.getLogger(), logging.getLogger("voxgate")]
    before = [(log, log.handlers[:], log.level, log.propagate) for log in loggers]
    yield lambda: capfd.readouterr().err
    for log, handlers, level, propagate in before:
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


def test_an_error_is_one_json_line_without_what_the_code_held(caplog):
    token = "s3cr3t" + "-token"
    with caplog.at_level(logging.INFO, logger="voxgate"):
        try:
            held = {"token": token, "path": "/srv/lab"}
            raise ValueError(len(held))
        except ValueError as error:
            logger().error("internal error", request_id="7", exc_info=error)
    (line,) = caplog.messages
    document = json.loads(line)
    assert document["request_id"] == "7"
    assert "ValueError" in line
    assert token not in line
    assert "/srv/lab" not in line


SECRETS = {
    "a password in an address": ("postgresql://ada:hunter2pass@db/jobs", "hunter2pass"),
    "a token in a header": ("Authorization: Bearer 4f9a8b7c6d5e4f3a", "4f9a8b7c6d5e4f3a"),
    "a BossDB token": ("Token 8a7f6e5d4c3b2a190817", "8a7f6e5d4c3b2a190817"),
    "a web token": ("it said eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "eyJhbGci"),
    "a key of a query": ("GET /volume?api_key=k3yk3yk3y&x=1", "k3yk3yk3y"),
}


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("name", SECRETS)
def test_no_line_of_any_origin_holds_a_secret(name, log_format, said):
    text, secret = SECRETS[name]
    log_to_stderr(log_format)
    logger().warning("it failed", message=text, nested={"deep": [text]})
    logging.getLogger("urllib3.connectionpool").warning("Retrying: %s", text)
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        logger().error("internal error", exc_info=error)
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application: %s", text)
    lines = said()
    assert secret not in lines
    assert lines.count("***") >= 4


def test_lines_of_libraries_are_json_too(said):
    log_to_stderr("json")
    logging.getLogger("uvicorn.error").error("Invalid %s\nreceived", "request")
    (line,) = said().splitlines()
    document = json.loads(line)
    assert (document["event"], document["level"]) == ("Invalid request\nreceived", "error")
    assert document["logger"] == "uvicorn.error"


def test_text_is_one_line_that_nobody_can_break_with_what_is_logged(said):
    log_to_stderr("text")
    logger().info("call refused", reason="UNKNOWN_VOLUME", message="no\nWARNING forged=1", request_id="r 1")
    (line,) = said().splitlines()
    assert re.fullmatch(
        r'\S+Z INFO    call refused reason=UNKNOWN_VOLUME message="no\\nWARNING forged=1" request_id="r 1"', line
    )


def test_a_level_leaves_out_what_is_below_it(said):
    log_to_stderr("json", "warning")
    logger().info("serving")
    logger().warning("stopping")
    assert [json.loads(line)["event"] for line in said().splitlines()] == ["stopping"]


def test_what_is_empty_is_not_said(said):
    log_to_stderr()
    logger().info("call refused", trace_id="", request_id="r1", count=0, is_late=False)
    document = json.loads(said())
    assert "trace_id" not in document
    assert (document["request_id"], document["count"], document["is_late"]) == ("r1", 0, False)
