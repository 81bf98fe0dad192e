"""Runs a CWL tool by cwltool: workflows_cwl.py FOLDER WITH-VOXGATE TOOL OUTPUTS ARGUMENT…

Prints its exit code and its record of the job.
WITH-VOXGATE is a folder that holds the command.
"""

import io
import json
import os
import sys
from pathlib import Path

from cwltool.main import main

folder, commands, tool, outputs, *arguments = sys.argv[1:]
os.chdir(folder)
os.environ["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"
os.environ["HOME"] = folder
said = io.StringIO()
code = main(["--no-container", "--quiet", "--outdir", outputs, tool, *arguments], stdout=said)
job = Path(outputs, "job.json")
print(json.dumps({"code": code, "job": json.loads(job.read_text()) if job.exists() else None}))
