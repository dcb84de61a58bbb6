"""What every service process needs: settings, logging, probes, signals and exit codes."""
