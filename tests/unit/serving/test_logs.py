import json
import logging

from voxgate_serving.logs import logger


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
