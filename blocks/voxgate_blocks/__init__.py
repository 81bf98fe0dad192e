"""Pure blockwise work over any Volume, used by all services."""
