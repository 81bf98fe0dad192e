"""`python -m voxgate.cli` is `voxgate`."""

from voxgate.cli.main import run

if __name__ == "__main__":
    run()
