"""What every server shares: settings, build, bind, drain, errors, health, budgets, workers."""
