# Shared by validate.sh and make: the environment of published tools that check and play what is in this folder. Sourced
# from the repository's root; sets tools to its folder of programs.
tools=.venv-deploy/bin
if [[ ! .venv-deploy/.ready -nt deploy/tools.lock ]]; then
  "${PYTHON:-python3}" -m venv .venv-deploy
  "$tools/pip" install --quiet --disable-pip-version-check --require-hashes -r deploy/tools.lock
  touch .venv-deploy/.ready
fi
