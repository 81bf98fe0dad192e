"""Runs the Luigi example by its local scheduler: workflows_luigi.py FOLDER WITH-VOXGATE EXAMPLES NAME=VALUE…

Prints how Luigi says that it ended, and the job's record.
"""

import json
import os
import sys
from pathlib import Path

import luigi

folder, commands, examples, *said = sys.argv[1:]
os.chdir(folder)
os.environ["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"
os.environ["HOME"] = folder
sys.path.insert(0, examples)

from luigi_transfer import Transfer  # noqa: E402  (found by the line above)

task = Transfer(folder=folder, **dict(each.split("=", 1) for each in said))
result = luigi.build([task], local_scheduler=True, detailed_summary=True, log_level="ERROR")
output = Path(task.output().path)
record = json.loads(output.read_text()) if output.exists() else None
print(json.dumps({"status": result.status.name, "job": record}))
